"""Targets for what a session store holds: a disk may give back anything."""

from __future__ import annotations

import random
from contextlib import suppress

from millstream.core.geometry import Geometry, PieceIndex
from millstream.core.goals import Goals
from millstream.core.goals_config import GoalAction
from millstream.core.partial_piece import PartialPiece
from millstream.engine.partial_record import decode_partial, encode_partial
from millstream.errors import MalformedDataError
from millstream.protocol import bencode
from millstream.protocol.compact import PeerAddress
from millstream.protocol.file_selection import FileSelection
from millstream.storage.claims import Claims
from millstream.storage.placement import Placement
from millstream.storage.placement_record import PlacementRecord
from millstream.storage.resume import ResumeState
from millstream.storage.resume_peers import KeptPeer, decode_peers, encode_peers
from millstream.storage.roots import StorageRoot, StorageRootManager
from millstream.storage.roots_record import RootsRecord
from millstream.testing.content import layout_of

from .target import Target


def fuzz_roots_record(data: bytes) -> None:
    """A record, maybe an empty one; it fits into a manager, and is written back as it was read."""
    record = RootsRecord.decode(data)
    assert RootsRecord.decode(record.encode()) == record
    manager = StorageRootManager(random.Random(1))
    record.restore(manager)
    assert record.updated(manager) == record


def fuzz_resume_state(data: bytes) -> None:
    """A state that is written back as it was read, or the error."""
    with suppress(MalformedDataError):
        state = ResumeState.decode(data)
        assert ResumeState.decode(state.encode()) == state


def fuzz_resume_peers(data: bytes) -> None:
    """Peers, maybe none."""
    peers = decode_peers(data)
    assert decode_peers(encode_peers(peers)) == peers


def fuzz_placement_record(data: bytes) -> None:
    """A record, maybe an empty one, that is written back as it was read, and fits or does not."""
    with suppress(MalformedDataError):
        record = PlacementRecord.decode(bencode.decode(data))
        assert PlacementRecord.decode(record.encode()) == record
        layout = layout_of(("t/a", 100), ("t/b", 0), ("t/c", 70))
        placement = Placement(layout, "/root", ".parts")
        record.restore(placement)
        assert len({path.casefold() for path in placement.all_paths}) == len(placement.all_paths)
        assert not any(path.startswith("/") or ".." in path for path in placement.paths)


def fuzz_partial_pieces(data: bytes) -> None:
    """Blocks of pieces, maybe none, that are written back as they were read."""
    pieces = decode_partial(data)
    assert decode_partial(encode_partial(pieces)) == pieces
    geometry = Geometry(100_000, 32 << 10)
    for piece in pieces:
        for block, content in piece.blocks(geometry):
            assert len(content) == geometry.block_length(PieceIndex(piece.index), block)


def fuzz_goals(data: bytes) -> None:
    """Goals, maybe none of its own; what is written of them is read as the same."""
    with suppress(MalformedDataError):
        goals = Goals.from_dict(bencode.decode(data))
        assert Goals.from_dict(goals.to_dict()) == goals


_ROOTS = RootsRecord(
    (StorageRoot("a1", "Films", "/mnt/f"), StorageRoot("b2", "b", "/b", is_implicit=True)),
    "a1",
    {"b2": "8:1"},
    {b"later": [1]},
    {"a1": {b"quota": 7}},
)
_STATE = ResumeState(
    save_path="/b",
    magnet="magnet:?xt=urn:btih:" + "ab" * 20,
    claims=Claims(piece_count=9, flushed=3, written=4),
    trackers=("http://t.example/a",),
)
_GOALS = Goals(ratio=1.5, seed_time=None, action=GoalAction.REMOVE)
_PLACEMENT = PlacementRecord(
    renames={0: "x/a"},
    in_parts=FileSelection.of([2]),
    suffixed=FileSelection.of([0]),
    suffix=".part",
    moving_to="/new",
    renaming={1: "t/d"},
)
_PARTIAL = [PartialPiece(1, b"\x80", bytes(16 << 10)), PartialPiece(3, b"\x80", bytes(1696))]
_PEERS = [KeptPeer(PeerAddress("1.2.3.4", 5), ("pex",), 7), KeptPeer(PeerAddress("::1", 6))]

TARGETS = [
    Target("roots_record", "storage roots of the last run", fuzz_roots_record, [_ROOTS.encode()]),
    Target("resume_state", "states of torrents", fuzz_resume_state, [_STATE.encode()]),
    Target(
        "placement_record",
        "where files of torrents are",
        fuzz_placement_record,
        [bencode.encode(_PLACEMENT.encode())],
    ),
    Target(
        "partial_pieces",
        "blocks of unfinished pieces",
        fuzz_partial_pieces,
        [encode_partial(_PARTIAL)],
    ),
    Target("goals", "goals of torrents", fuzz_goals, [bencode.encode(_GOALS.to_dict())]),
    Target("resume_peers", "peers of the last run", fuzz_resume_peers, [encode_peers(_PEERS)]),
]
