"""What a route is, and what it is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from millstream import Torrent
from millstream.http_server.fields import Fields
from millstream.rpc.torrent_view import Json

if TYPE_CHECKING:
    from millstream.rpc.control import Control

# A torrent of a million pieces has 20 MB of digests, 27 MB in base64.
MAX_LONG_BODY = 32 << 20
# Everything else is short; a selection of 5,000 files fits.
MAX_BODY = 64 << 10


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, as far as a route needs it.

    Attributes:
        control: the engine's owner.
        fields: the body.
        query: of the URL.
        name: what the path names: a torrent's infohash, a root's token; empty where it names nothing.
    """

    control: Control
    fields: Fields
    query: Mapping[str, str]
    name: str = ""

    @property
    def torrent(self) -> Torrent:
        """The torrent that the path names; raises Refusal if there is none."""
        return self.control.torrent(self.name)


Handler = Callable[[Ask], Awaitable[Json]]


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a request.

    Attributes:
        method: of HTTP.
        handler: carries it out.
        max_body: bytes of the body.
    """

    method: str
    handler: Handler
    max_body: int = MAX_BODY


Routes = dict[str, tuple[Route, ...]]
