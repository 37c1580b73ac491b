"""The routes of one torrent: what comes after `/torrent/{id}/`. They are in docs/control.md."""

from __future__ import annotations

from millstream import PeerAddress
from millstream.errors import MalformedDataError
from millstream.http_server.fields import Fields
from millstream.rpc.goal_fields import goals_view, read_goals
from millstream.rpc.refusals import Refusal, invalid
from millstream.rpc.route import MAX_LONG_BODY, Ask, Route, Routes
from millstream.rpc.torrent_changes import (
    change_priorities,
    change_queue,
    change_settings,
    queue_view,
    read_destination,
    rename,
    settings_view,
)
from millstream.rpc.torrent_view import Json, torrent_view
from millstream.rpc.views import (
    availability_view,
    files_view,
    peer_view,
    pieces_view,
    tracker_view,
)


async def _torrent_status(ask: Ask) -> Json:
    return torrent_view(ask.torrent)


async def _peers(ask: Ask) -> Json:
    return {"peers": [peer_view(peer) for peer in ask.torrent.peers()]}


async def _availability(ask: Ask) -> Json:
    return availability_view(ask.torrent)


async def _trackers(ask: Ask) -> Json:
    torrent = ask.torrent
    return {"trackers": [tracker_view(tracker) for tracker in torrent.trackers()]}


async def _files(ask: Ask) -> Json:
    return {"files": files_view(ask.torrent)}


async def _pieces(ask: Ask) -> Json:
    return pieces_view(ask.torrent)


async def _add_peer(ask: Ask) -> Json:
    torrent = ask.torrent
    torrent.add_peer(_peer_address(ask.fields))
    return {}


async def _disconnect_peer(ask: Ask) -> Json:
    torrent = ask.torrent
    address = _peer_address(ask.fields)
    if not torrent.disconnect_peer(address):
        raise Refusal(400, "PeerNotFound", f"there is no connection to {address}")
    return {}


async def _remove(ask: Ask) -> Json:
    torrent = ask.torrent
    delete_data = ask.fields.flag("deleteData") or False
    ask.fields.finish()
    await ask.control.remove(torrent, delete_data=delete_data)
    return {}


async def _recheck(ask: Ask) -> Json:
    torrent = ask.torrent
    ask.fields.finish()
    await torrent.recheck()
    return {}


async def _pause(ask: Ask) -> Json:
    torrent = ask.torrent
    ask.fields.finish()
    await torrent.stop()
    await ask.control.remember(torrent)
    return {}


async def _resume(ask: Ask) -> Json:
    torrent = ask.torrent
    ask.fields.finish()
    await torrent.start()
    await ask.control.remember(torrent)
    return {}


async def _settings(ask: Ask) -> Json:
    torrent = ask.torrent
    await change_settings(torrent, ask.fields)
    return settings_view(torrent)


async def _priorities(ask: Ask) -> Json:
    torrent = ask.torrent
    await change_priorities(torrent, ask.fields)
    return {"files": files_view(torrent)}


async def _rename(ask: Ask) -> Json:
    torrent = ask.torrent
    await rename(torrent, ask.fields)
    return {"files": files_view(torrent)}


async def _move(ask: Ask) -> Json:
    torrent = ask.torrent
    place = read_destination(ask.fields)
    await ask.control.moves.begin(torrent.info_hash, torrent.move(**place))
    return await _moving(ask)


async def _moving(ask: Ask) -> Json:
    torrent, moves = ask.torrent, ask.control.moves
    error = moves.error(torrent.info_hash)
    return {
        "moving": moves.is_moving(torrent.info_hash),
        "moved": torrent.moved_bytes,
        "size": torrent.metainfo.total_length if torrent.has_metadata else 0,
        "error": None if error is None else str(error),
        "savePath": torrent.save_path,
    }


async def _queue(ask: Ask) -> Json:
    return queue_view(ask.control.engine, ask.torrent)


async def _set_queue(ask: Ask) -> Json:
    change_queue(ask.control.engine, ask.torrent, ask.fields)
    return await _queue(ask)


async def _goals(ask: Ask) -> Json:
    return goals_view(ask.torrent.goals)


async def _set_goals(ask: Ask) -> Json:
    torrent = ask.torrent
    torrent.set_goals(read_goals(ask.fields, torrent.goals))
    return goals_view(torrent.goals)


def _peer_address(fields: Fields) -> PeerAddress:
    host = fields.required(lambda key: fields.text(key, longest=253), "ip")
    port = fields.required(lambda key: fields.integer(key, 1, 65535), "port")
    fields.finish()
    try:
        return PeerAddress.parse(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except MalformedDataError as error:
        raise invalid("ip", f"is no address: {error}") from None


TORRENT_ROUTES: Routes = {
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
    "rename": (Route("POST", _rename),),
    "move": (Route("GET", _moving), Route("POST", _move)),
    "queue": (Route("GET", _queue), Route("POST", _set_queue)),
    "goals": (Route("GET", _goals), Route("POST", _set_goals)),
    "priorities": (Route("POST", _priorities, MAX_LONG_BODY),),
    "settings": (Route("POST", _settings, MAX_LONG_BODY),),
}
"""What comes after `/torrent/{id}/`."""
