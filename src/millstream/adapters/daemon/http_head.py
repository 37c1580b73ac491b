"""Heads of HTTP/1.1 (RFC 9112): what is asked, and how an answer begins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from millstream.adapters.daemon.http_url import HttpUrl

# Of an answer: aiohttp takes as many lines of 8 KiB as there are; browsers take 256 KiB in all.
MAX_HEAD_LENGTH = 64 << 10

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?").fullmatch
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_LINE_END = re.compile(rb"\r?\n")
_BODILESS = frozenset({204, 304})


class HttpSyntaxError(ValueError):
    """What was answered is no HTTP."""


class Head(NamedTuple):
    """How an answer begins.

    Attributes:
        status: the status code.
        headers: names in lower case.
    """

    status: int
    headers: Mapping[str, str]

    @property
    def has_body(self) -> bool:
        """Whether there may be one."""
        return self.status not in _BODILESS and self.status >= 200


def request_head(url: HttpUrl, headers: Mapping[str, str]) -> bytes:
    """What is sent for a GET.

    Raises:
        ValueError: a header cannot be sent.
    """
    lines = [f"GET {url.target} HTTP/1.1", f"Host: {url.host_header}"]
    if url.authorization:
        lines.append(f"Authorization: {url.authorization}")
    for name, value in headers.items():
        if not _NAME(name) or any(char in value for char in "\r\n\0"):
            raise ValueError(f"the header {name[:40]!r} cannot be sent")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def find_head(data: bytearray) -> int:
    """Where the bytes behind a head begin; 0 if it is not whole yet.

    Raises:
        HttpSyntaxError: it is too long.
    """
    ends = [data.find(mark) + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if mark in data]
    if not ends and len(data) > MAX_HEAD_LENGTH:
        raise HttpSyntaxError(f"its answer begins with more than {MAX_HEAD_LENGTH:,} bytes of head")
    return min(ends, default=0)


def parse_head(data: bytes) -> Head:
    """Read a whole head.

    Raises:
        HttpSyntaxError: it is none.
    """
    first, *lines = _LINE_END.split(data.rstrip(b"\r\n"))
    status = _STATUS(first)
    if status is None:
        raise HttpSyntaxError("what it answered is not HTTP")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.decode("utf-8", "surrogateescape").partition(":")
        name, value = name.lower(), value.strip(" \t")
        if not colon or not _NAME(name):
            raise HttpSyntaxError("what it answered is not HTTP")
        if name == "content-length" and headers.get(name, value) != value:
            raise HttpSyntaxError("its answer has two lengths")
        headers[name] = value
    return Head(int(status[1]), headers)
