"""The io-daemon: who may ask, and which part of it answers."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from millstream.errors import ConfigError, NetworkError
from millstream.http_server.bounded import BoundedServer
from millstream.http_server.gate import RequestGate, bearer_token
from millstream.http_server.refusal import Refusal
from millstream.io_daemon.bodies import BODY_TIME
from millstream.io_daemon.config import IoDaemonConfig
from millstream.io_daemon.cors import answer_headers, preflight_headers
from millstream.io_daemon.counters import Counters
from millstream.io_daemon.disk_batches import DiskBatches
from millstream.io_daemon.failures import refusal_of
from millstream.io_daemon.file_calls import FileCalls
from millstream.io_daemon.http_files import HttpFiles
from millstream.io_daemon.io_server import IoServer
from millstream.io_daemon.lent_files import LentFiles
from millstream.io_daemon.lent_roots import LentRoots
from millstream.io_daemon.network_interfaces import network_interfaces
from millstream.io_daemon.parent import ParentWatch
from millstream.io_daemon.rpc_info import Profile, read_profile
from millstream.logging.component_logger import component_logger

# Connections at a time: a browser has six for each page and server, and an engine one.
MAX_CONNECTIONS = 128
# A header: what aiohttp and Apache take. A path of 4,096 bytes in base64 fits.
MAX_HEADER_LENGTH = 8190
# Seconds for a connection's first request to arrive.
HEADER_TIME = 15.0
# Seconds that a connection may wait for its next request.
KEEP_ALIVE_TIME = 75.0
# Seconds in which the rest of a refused body is thrown away, so that the answer is read.
LINGERING_TIME = 2.0
# Seconds that requests in progress have when the daemon ends.
SHUTDOWN_TIME = 5.0

_HEADERS = {
    "Server": "Millstream",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_NO_TOKEN = {("GET", "/health"), ("GET", "/io")}

_LOG = component_logger("io_daemon")
_HTTP_LOG = logging.getLogger("millstream.io_daemon.http")

assert BODY_TIME > HEADER_TIME  # noqa: S101 - the one does not end the other
