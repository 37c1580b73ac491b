"""Targets for what a session store holds: a disk may give back anything."""

from __future__ import annotations

import random
from contextlib import suppress

from millstream.core.goals import Goals
from millstream.core.goals_config import GoalAction
from millstream.errors import MalformedDataError
from millstream.protocol import bencode
from millstream.protocol.compact import PeerAddress
from millstream.storage.claims import Claims
from millstream.storage.resume import ResumeState
from millstream.storage.resume_peers import KeptPeer, decode_peers, encode_peers
from millstream.storage.roots import StorageRoot, StorageRootManager
from millstream.storage.roots_record import RootsRecord

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
_PEERS = [KeptPeer(PeerAddress("1.2.3.4", 5), ("pex",), 7), KeptPeer(PeerAddress("::1", 6))]

TARGETS = [
    Target("roots_record", "storage roots of the last run", fuzz_roots_record, [_ROOTS.encode()]),
    Target("resume_state", "states of torrents", fuzz_resume_state, [_STATE.encode()]),
    Target("goals", "goals of torrents", fuzz_goals, [bencode.encode(_GOALS.to_dict())]),
    Target("resume_peers", "peers of the last run", fuzz_resume_peers, [encode_peers(_PEERS)]),
]
