"""The routes: which request means what. Bodies and answers are in docs/control.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from millstream import PeerAddress
from millstream.errors import MalformedDataError
from millstream.rpc.control import Control
from millstream.rpc.engine_settings import parse_engine_settings
from millstream.rpc.fields import Fields
from millstream.rpc.refusals import Refusal, invalid
from millstream.rpc.views import (
    Json,
    availability_view,
    files_view,
    peer_view,
    pieces_view,
    tick_view,
    torrent_view,
    tracker_view,
)

# A torrent of a million pieces has 20 MB of digests, 27 MB in base64.
MAX_ADD_BODY = 32 << 20
# Everything else is short; a selection of 5,000 files fits.
MAX_BODY = 64 << 10

DEFAULT_LOG_LIMIT = 100
MAX_LOG_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, as far as a route needs it.

    Attributes:
        control: the engine's owner.
        fields: the body.
        query: of the URL.
        torrent: the infohash in the path; empty where there is none.
    """

    control: Control
    fields: Fields
    query: Mapping[str, str]
    torrent: str = ""


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


async def _start(ask: Ask) -> Json:
    config = ask.fields.fields("config") or Fields({})
    ask.fields.finish()
    settings = parse_engine_settings(config, ask.control.base)
    await ask.control.start(settings)
    return {"port": ask.control.engine.listen_port, "ignored": list(settings.ignored)}


async def _stop(ask: Ask) -> Json:
    ask.fields.finish()
    await ask.control.stop()
    return {}


async def _status(ask: Ask) -> Json:
    return ask.control.status()


async def _tick_stats(ask: Ask) -> Json:
    return tick_view(ask.control.engine.tick_stats())


async def _limits(ask: Ask) -> Json:
    download, upload = ask.control.engine.limits
    return {"download": download, "upload": upload}


async def _set_limits(ask: Ask) -> Json:
    ask.control.set_limits(ask.fields)
    return await _limits(ask)


async def _torrents(ask: Ask) -> Json:
    return {"torrents": [torrent_view(torrent) for torrent in ask.control.engine.torrents]}


async def _add(ask: Ask) -> Json:
    torrent = await ask.control.add(ask.fields)
    return {"id": str(torrent.info_hash), "name": torrent.name}


async def _torrent_status(ask: Ask) -> Json:
    return torrent_view(ask.control.torrent(ask.torrent))


async def _peers(ask: Ask) -> Json:
    return {"peers": [peer_view(peer) for peer in ask.control.torrent(ask.torrent).peers()]}


async def _availability(ask: Ask) -> Json:
    return availability_view(ask.control.torrent(ask.torrent))


async def _trackers(ask: Ask) -> Json:
    torrent = ask.control.torrent(ask.torrent)
    return {"trackers": [tracker_view(tracker) for tracker in torrent.trackers()]}


async def _files(ask: Ask) -> Json:
    return {"files": files_view(ask.control.torrent(ask.torrent))}


async def _pieces(ask: Ask) -> Json:
    return pieces_view(ask.control.torrent(ask.torrent))


async def _add_peer(ask: Ask) -> Json:
    torrent = ask.control.torrent(ask.torrent)
    torrent.add_peer(_peer_address(ask.fields))
    return {}


async def _disconnect_peer(ask: Ask) -> Json:
    torrent = ask.control.torrent(ask.torrent)
    address = _peer_address(ask.fields)
    if not torrent.disconnect_peer(address):
        raise Refusal(400, "PeerNotFound", f"there is no connection to {address}")
    return {}


async def _remove(ask: Ask) -> Json:
    torrent = ask.control.torrent(ask.torrent)
    ask.fields.finish()
    await ask.control.remove(torrent)
    return {}


async def _recheck(ask: Ask) -> Json:
    torrent = ask.control.torrent(ask.torrent)
    ask.fields.finish()
    await torrent.recheck()
    return {}


async def _pause(ask: Ask) -> Json:
    torrent = ask.control.torrent(ask.torrent)
    ask.fields.finish()
    await torrent.stop()
    return {}


async def _resume(ask: Ask) -> Json:
    torrent = ask.control.torrent(ask.torrent)
    ask.fields.finish()
    await torrent.start()
    return {}


async def _settings(ask: Ask) -> Json:
    torrent = ask.control.torrent(ask.torrent)
    ask.control.set_torrent(torrent, ask.fields)
    download, upload = torrent.limits
    return {"maxPeers": torrent.max_peers, "downloadLimit": download, "uploadLimit": upload}


async def _logs(ask: Ask) -> Json:
    text = ask.query.get("limit", str(DEFAULT_LOG_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise invalid("limit", f"is {text[:40]!r}; it must be 1 to {MAX_LOG_LIMIT}")
    return ask.control.logs(
        level=ask.query.get("level", "debug"),
        limit=min(int(text), MAX_LOG_LIMIT),
        component=ask.query.get("component"),
        torrent=ask.query.get("torrent"),
    )


def _peer_address(fields: Fields) -> PeerAddress:
    host = fields.required(lambda key: fields.text(key, longest=253), "ip")
    port = fields.required(lambda key: fields.integer(key, 1, 65535), "port")
    fields.finish()
    try:
        return PeerAddress.parse(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except MalformedDataError as error:
        raise invalid("ip", f"is no address: {error}") from None


ROUTES: dict[str, tuple[Route, ...]] = {
    "/engine/start": (Route("POST", _start),),
    "/engine/stop": (Route("POST", _stop),),
    "/engine/status": (Route("GET", _status),),
    "/engine/tick-stats": (Route("GET", _tick_stats),),
    "/engine/limits": (Route("GET", _limits), Route("POST", _set_limits)),
    "/torrents": (Route("GET", _torrents),),
    "/torrent/add": (Route("POST", _add, MAX_ADD_BODY),),
    "/logs": (Route("GET", _logs),),
}
"""By path; `/shutdown` and `/events` are the server's own."""

TORRENT_ROUTES: dict[str, tuple[Route, ...]] = {
    "status": (Route("GET", _torrent_status),),
    "peers": (Route("GET", _peers),),
    "availability": (Route("GET", _availability),),
    "trackers": (Route("GET", _trackers),),
    "files": (Route("GET", _files),),
    "pieces": (Route("GET", _pieces),),
    "add-peer": (Route("POST", _add_peer),),
    "disconnect-peer": (Route("POST", _disconnect_peer),),
    "remove": (Route("POST", _remove),),
    "recheck": (Route("POST", _recheck),),
    "pause": (Route("POST", _pause),),
    "resume": (Route("POST", _resume),),
    "settings": (Route("POST", _settings, MAX_ADD_BODY),),
}
"""What comes after `/torrent/{id}/`."""


def find_route(method: str, path: str) -> tuple[Route, str]:
    """The route for a request, and the infohash in its path; raises Refusal."""
    torrent = ""
    found = ROUTES.get(path)
    if found is None and path.startswith("/torrent/"):
        torrent, _, verb = path.removeprefix("/torrent/").partition("/")
        found = TORRENT_ROUTES.get(verb)
    if found is None:
        raise Refusal(404, "NotFound", f"there is no {path[:120]!r} here")
    for route in found:
        if route.method == method:
            return route, torrent
    allowed = " or ".join([route.method for route in found])
    raise Refusal(405, "MethodNotAllowed", f"{path} is asked with {allowed}, not {method[:20]}")
