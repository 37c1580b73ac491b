"""The URL of a tracker, taken apart."""

from __future__ import annotations

import re
from typing import NamedTuple

from millstream.errors import MalformedDataError, TrackerError
from millstream.protocol.compact import MAX_PORT, PeerAddress

# Browsers and servers in use stop at about as much.
MAX_URL_LENGTH = 8192

_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?",
    re.ASCII | re.IGNORECASE,
).match
# Lone surrogates stand for bytes that are no UTF-8, on the command line; no request can hold them.
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]").search


class TrackerUrl(NamedTuple):
    """A URL's parts.

    Attributes:
        scheme: in lower case.
        authority: host, perhaps with a port, as written.
        path: as written, with its leading slash; may be empty.
        query: what follows the question mark; None if there is none.
    """

    scheme: str
    authority: str
    path: str
    query: str | None

    @classmethod
    def parse(cls, url: str) -> TrackerUrl:
        """Take a URL apart; its fragment is dropped.

        Raises:
            TrackerError: it is none, or has spaces or control characters in it.
        """
        match = _URL(url) if len(url) <= MAX_URL_LENGTH else None
        if match is None or not match["authority"] or _UNPRINTABLE(url):
            raise TrackerError(f"{url[:100]!r} is no URL of a tracker")
        return cls(match["scheme"].lower(), match["authority"], match["path"], match["query"])

    @property
    def host(self) -> str:
        """The host alone; an IPv6 address without its brackets."""
        place = self.authority.rpartition("@")[2]
        if place.startswith("["):
            return place[1:].partition("]")[0]
        return place.partition(":")[0]

    @property
    def address(self) -> PeerAddress:
        """Host and port, which UDP trackers must name; raises TrackerError if it does not."""
        try:
            return PeerAddress.parse(self.authority.rpartition("@")[2])
        except MalformedDataError as error:
            raise TrackerError(
                f"{self.authority!r} is no host with a port, 1 to {MAX_PORT}"
            ) from error

    @property
    def data(self) -> bytes:
        """Path and query, as BEP 41 sends them."""
        query = "" if self.query is None else f"?{self.query}"
        return f"{self.path}{query}".encode()

    def with_parameters(self, parameters: str) -> str:
        """The URL with more parameters behind its own, which come first and stay as they are."""
        query = f"{self.query}&{parameters}" if self.query else parameters
        return f"{self.scheme}://{self.authority}{self.path}?{query}"
