"""A daemon that is 100 ms away, there and back, against the same suites: slower, and no different."""

from __future__ import annotations

import pytest

from . import test_daemon

LATENCY = 0.05

pytestmark = pytest.mark.slow


class TestFarNetwork(test_daemon.TestDaemonNetwork):
    latency = LATENCY


class TestFarDatagrams(test_daemon.TestDaemonDatagrams):
    latency = LATENCY


class TestFarFileSystem(test_daemon.TestDaemonFileSystem):
    latency = LATENCY


class TestFarDiskQueue(test_daemon.TestDaemonDiskQueue):
    latency = LATENCY
