"""Changing a torrent as a body says: all that it names, or nothing where it makes no sense."""

from __future__ import annotations

from millstream import Engine, Torrent
from millstream.core.file_priority import FilePriority
from millstream.core.queue_order import QueueMove
from millstream.http_server.fields import Fields
from millstream.rpc.engine_settings import read_rate
from millstream.rpc.refusals import invalid
from millstream.rpc.torrent_view import Json

# Elements of an array of files: as many as a torrent file can name.
MAX_FILES = 5_000_000

MAX_PEERS = 1_000_000

MAX_POSITION = 1_000_000

_MOVES = tuple([move.value for move in QueueMove])

PRIORITIES = {priority.name.lower(): priority for priority in FilePriority}
"""By the words for them."""


async def change_settings(torrent: Torrent, fields: Fields) -> None:
    """Carry out the body of `settings`.

    Raises:
        Refusal: a field is unknown or wrong.
        MetadataPendingError: it is about files that are not known yet.
        ConfigError: there is no such file.
        StorageError: there is no place for a file that is wanted now.
    """
    limits_peers, selects = fields.has("maxPeers"), fields.has("select")
    most = fields.integer("maxPeers", 1, MAX_PEERS)
    select = fields.integers("select", MAX_FILES)
    download, upload = torrent.limits
    if fields.has("downloadLimit"):
        download = read_rate(fields, "downloadLimit")
    if fields.has("uploadLimit"):
        upload = read_rate(fields, "uploadLimit")
    super_seeding = fields.flag("superSeeding")
    sequential = fields.flag("sequential")
    first_last = fields.flag("firstLast")
    fields.finish()
    if selects or any(flag is not None for flag in (super_seeding, sequential, first_last)):
        _ = torrent.metainfo  # not known yet: say so before anything is changed
    if selects:
        await torrent.select_files(select)
    if limits_peers:
        torrent.max_peers = most
    torrent.set_limits(download=download, upload=upload)
    if super_seeding is not None:
        torrent.super_seeding = super_seeding
    if sequential is not None:
        torrent.sequential = sequential
    if first_last is not None:
        torrent.first_last_first = first_last


def settings_view(torrent: Torrent) -> Json:
    """What `settings` answers: what holds now."""
    download, upload = torrent.limits
    view: Json = {
        "maxPeers": torrent.max_peers,
        "downloadLimit": download,
        "uploadLimit": upload,
    }
    if torrent.has_metadata:
        view["sequential"] = torrent.sequential
        view["firstLast"] = torrent.first_last_first
        view["superSeeding"] = torrent.super_seeding
    return view


async def change_priorities(torrent: Torrent, fields: Fields) -> None:
    """Carry out the body of `priorities`; raises as `change_settings`."""
    wanted: dict[int, FilePriority] = {}
    for word, priority in PRIORITIES.items():
        for index in fields.integers(word, MAX_FILES) or ():
            if wanted.setdefault(index, priority) is not priority:
                raise invalid(fields.name(word), f"has the file {index}, as another field has")
    fields.finish()
    await torrent.set_file_priorities(wanted)


def change_queue(engine: Engine, torrent: Torrent, fields: Fields) -> None:
    """Carry out the body of `queue`; raises Refusal."""
    move = fields.choice("move", _MOVES)
    position = fields.integer("position", 0, MAX_POSITION)
    forced, auto_managed = fields.flag("forced"), fields.flag("autoManaged")
    fields.finish()
    if move is not None and position is not None:
        raise invalid("position", "is there, and so is move")
    if move is not None:
        engine.queue.move([torrent.info_hash], QueueMove(move))
    if position is not None:
        torrent.queue_position = min(position, len(engine.queue.order) - 1)
    if auto_managed is not None:
        torrent.is_auto_managed = auto_managed
    if forced is not None:
        torrent.is_forced = forced


def queue_view(engine: Engine, torrent: Torrent) -> Json:
    """What `queue` answers."""
    return {
        "position": torrent.queue_position,
        "count": len(engine.queue.order),
        "forced": torrent.is_forced,
        "autoManaged": torrent.is_auto_managed,
    }


async def rename(torrent: Torrent, fields: Fields) -> None:
    """Carry out the body of `rename`.

    Raises:
        Refusal: a field is unknown, wrong or missing.
        MetadataPendingError: the files are not known yet.
        ConfigError: there is no such file or folder, or it cannot have this path.
        StorageError: something is there already, or it cannot be renamed.
    """
    index, folder = fields.integer("file", 0, MAX_FILES), fields.text("folder")
    path = fields.required(fields.text, "path")
    fields.finish()
    if (index is None) == (folder is None):
        raise invalid("file", "or folder must be there, and not both")
    if index is not None:
        await torrent.rename_file(index, path)
    if folder is not None:
        await torrent.rename_folder(folder, path)


def read_destination(fields: Fields) -> dict[str, str]:
    """Where the body of `move` wants the files, as `Torrent.move` takes it. Raises Refusal."""
    root, path = fields.text("root"), fields.path("path")
    fields.finish()
    if root is not None and path is None:
        return {"root": root}
    if path is not None and root is None:
        return {"save_path": path}
    raise invalid("root", "or path must be there, and not both")
