"""The routes: which request means what. Bodies and answers are in docs/control.md."""

from __future__ import annotations

from collections.abc import Mapping

from millstream.http_server.fields import Fields
from millstream.rpc.engine_settings import parse_engine_settings
from millstream.rpc.refusals import Refusal, invalid
from millstream.rpc.root_routes import ROOT_ROUTES, ROOTS_ROUTES
from millstream.rpc.route import MAX_LONG_BODY, Ask, Route, Routes
from millstream.rpc.torrent_list import list_torrents
from millstream.rpc.torrent_query import TorrentQuery
from millstream.rpc.torrent_routes import TORRENT_ROUTES
from millstream.rpc.torrent_view import Json
from millstream.rpc.views import tick_view

DEFAULT_LOG_LIMIT = 100
MAX_LOG_LIMIT = 10_000
# Of a number in a query: more than there are entries of a log in a lifetime.
MAX_DIGITS = 15

# What `/engine/status` says of each torrent.
_STATES = TorrentQuery(fields=("id", "state"))


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
    status, engine = ask.control.status(), ask.control.running
    listed: Json = {"torrents": []} if engine is None else await list_torrents(engine, _STATES)
    return {**status, "torrents": listed["torrents"]}


async def _tick_stats(ask: Ask) -> Json:
    return tick_view(ask.control.engine.tick_stats())


async def _limits(ask: Ask) -> Json:
    download, upload = ask.control.engine.limits
    return {"download": download, "upload": upload}


async def _set_limits(ask: Ask) -> Json:
    ask.control.set_limits(ask.fields)
    return await _limits(ask)


async def _reload(ask: Ask) -> Json:
    ask.fields.finish()
    if ask.control.reload is None:
        raise Refusal(400, "NoSettings", "this server was not started with settings to read again")
    return await ask.control.reload()


async def _torrents(ask: Ask) -> Json:
    return await list_torrents(ask.control.engine, TorrentQuery.parse(ask.query))


async def _add(ask: Ask) -> Json:
    torrent = await ask.control.add(ask.fields)
    return {"id": str(torrent.info_hash), "name": torrent.name}


async def _logs(ask: Ask) -> Json:
    return ask.control.logs(
        level=ask.query.get("level", "debug"),
        limit=min(_whole(ask.query, "limit", DEFAULT_LOG_LIMIT), MAX_LOG_LIMIT),
        component=ask.query.get("component"),
        torrent=ask.query.get("torrent"),
        after=_whole(ask.query, "after", 0),
    )


def _whole(query: Mapping[str, str], key: str, default: int) -> int:
    text = query.get(key, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise invalid(key, f"is {text[:40]!r}; it must be a number from 0 on")
    return int(text)


ROUTES: Routes = {
    "/engine/start": (Route("POST", _start),),
    "/engine/stop": (Route("POST", _stop),),
    "/engine/status": (Route("GET", _status),),
    "/engine/tick-stats": (Route("GET", _tick_stats),),
    "/engine/limits": (Route("GET", _limits), Route("POST", _set_limits)),
    "/settings/reload": (Route("POST", _reload),),
    "/torrents": (Route("GET", _torrents),),
    "/torrent/add": (Route("POST", _add, MAX_LONG_BODY),),
    "/logs": (Route("GET", _logs),),
    **ROOTS_ROUTES,
}
"""By path; `/shutdown` and `/events` are the server's own."""

_NAMED = {"/torrent/": TORRENT_ROUTES, "/root/": ROOT_ROUTES}


def find_route(method: str, path: str) -> tuple[Route, str]:
    """The route for a request, and the infohash or token in its path; raises Refusal."""
    name = ""
    found = ROUTES.get(path)
    for prefix, routes in _NAMED.items():
        if found is None and path.startswith(prefix):
            name, _, verb = path.removeprefix(prefix).partition("/")
            found = routes.get(verb)
    if found is None:
        raise Refusal(404, "NotFound", f"there is no {path[:120]!r} here")
    for route in found:
        if route.method == method:
            return route, name
    allowed = " or ".join([route.method for route in found])
    raise Refusal(405, "MethodNotAllowed", f"{path} is asked with {allowed}, not {method[:20]}")
