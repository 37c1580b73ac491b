from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from millstream import TorrentState
from millstream.core.file_priority import FilePriority
from millstream.engine.status import PeerStatus, PieceState
from millstream.engine.tick_meter import TickMeter, TickStats
from millstream.errors import StorageError
from millstream.events import (
    FilesRenamed,
    PeerBanned,
    PeerConnected,
    PeerDisconnected,
    PieceFailed,
    StateChanged,
    TorrentFailed,
    TorrentMoved,
)
from millstream.protocol.compact import PeerAddress
from millstream.protocol.metainfo import FileAttribute, FileEntry
from millstream.rpc.views import (
    availability_view,
    event_view,
    files_view,
    peer_view,
    pieces_view,
    tick_view,
)

ADDRESS = PeerAddress("192.0.2.7", 6881)
H, A, M = PieceState.HAVE, PieceState.ACTIVE, PieceState.MISSING


def torrent(states, files, *, length=10, multi=True):
    metainfo = SimpleNamespace(
        name="x",
        piece_length=length,
        total_length=sum(file.length for file in files),
        files=files,
        is_multi_file=multi,
    )
    return SimpleNamespace(
        metainfo=metainfo,
        has_metadata=True,
        piece_states=lambda: bytes(states),
        file_paths=lambda: [
            None if file.attributes & FileAttribute.PAD else "/".join(("x", *file.path))
            for file in files
        ],
        file_priorities=lambda: [FilePriority(number % 2 * 7) for number in range(len(files))],
    )


def test_pieces_are_a_bitfield_and_what_is_being_fetched():
    view = pieces_view(torrent([H, M, A, H, M, M, M, M, H], [FileEntry(("a",), 90)]))
    assert view == {
        "pieceCount": 9,
        "pieceLength": 10,
        "piecesHave": 3,
        "bitfield": "9080",
        "active": [2],
    }


def test_a_magnet_has_none():
    magnet = SimpleNamespace(has_metadata=False, piece_states=lambda: b"", availability=list)
    assert pieces_view(magnet)["bitfield"] == ""
    assert availability_view(magnet) == {
        "pieceCount": 0,
        "availability": [],
        "distributedCopies": 0,
    }


@pytest.mark.parametrize(
    ("states", "done"),
    [
        ([H, H, H], [4, 0, 17, 4]),
        ([H, M, M], [4, 0, 6, 0]),
        ([M, H, M], [0, 0, 10, 0]),
        ([M, M, H], [0, 0, 1, 4]),
        ([A, M, M], [0, 0, 0, 0]),
    ],
)
def test_files_count_what_is_verified(states, done):
    files = [FileEntry((name,), size) for name, size in zip("abcd", (4, 0, 17, 4), strict=True)]
    view = files_view(torrent(states, files))
    assert [file["done"] for file in view] == done
    assert [(file["index"], file["path"], file["size"]) for file in view][2] == (2, "x/c", 17)


def test_padding_is_no_file_and_keeps_the_numbers():
    files = [
        FileEntry(("a",), 4),
        FileEntry((".pad", "6"), 6, FileAttribute.PAD),
        FileEntry(("b",), 10),
    ]
    view = files_view(torrent([M, H], files))
    assert [(file["index"], file["done"]) for file in view] == [(0, 0), (2, 10)]
    assert [file["priority"] for file in view] == ["skip", "skip"]
    assert files_view(torrent([M, H], [files[0], files[2]]))[1]["priority"] == "high"


def test_availability_says_how_many_copies_there_are():
    view = availability_view(SimpleNamespace(availability=lambda: [2, 1, 1, 3]))
    assert (view["pieceCount"], view["distributedCopies"]) == (4, 1.5)


def test_a_peer_has_what_it_says_of_itself():
    peer = PeerStatus(
        address=ADDRESS,
        client="\udcff",
        incoming=True,
        progress=1 / 3,
        download_rate=1.6,
        upload_rate=0.0,
        downloaded=5,
        uploaded=6,
        flags="d",
        peer_id=b"-XX" + bytes(17),
        am_interested=True,
    )
    view = peer_view(peer)
    assert (view["ip"], view["port"], view["percent"]) == ("192.0.2.7", 6881, 33.33)
    assert (view["connectionType"], view["amInterested"], view["downloadSpeed"]) == (
        "incoming",
        True,
        2,
    )
    json.dumps(view)


@pytest.mark.parametrize(
    ("event", "facts"),
    [
        (
            StateChanged(TorrentState.CHECKING, TorrentState.SEEDING),
            {"type": "stateChanged", "before": "checking", "after": "seeding"},
        ),
        (PieceFailed(3), {"type": "pieceFailed", "piece": 3}),
        (
            PeerConnected(ADDRESS, "c"),
            {"type": "peerConnected", "client": "c", "ip": "192.0.2.7", "port": 6881},
        ),
        (
            PeerDisconnected(ADDRESS, "r"),
            {"type": "peerDisconnected", "reason": "r", "ip": "192.0.2.7", "port": 6881},
        ),
        (
            PeerBanned(ADDRESS, "r"),
            {"type": "peerBanned", "reason": "r", "ip": "192.0.2.7", "port": 6881},
        ),
        (TorrentFailed(StorageError("/x", "full")), {"type": "torrentFailed", "error": "/x: full"}),
        (TorrentMoved("/y"), {"type": "torrentMoved", "savePath": "/y"}),
        (
            FilesRenamed({3: "a/b"}),
            {"type": "filesRenamed", "files": [{"index": 3, "path": "a/b"}]},
        ),
        (SimpleNamespace(), {"type": "simpleNamespace"}),
    ],
)
def test_events_have_a_type_and_facts(event, facts):
    assert event_view(event) == facts


def test_ticks_are_milliseconds():
    view = tick_view(TickStats(count=4, total=0.01, longest=0.004, active_pieces=1))
    assert (view["tickCount"], view["tickTotalMs"], view["tickMaxMs"]) == (4, 10, 4)
    assert (view["tickAvgMs"], view["activePieces"]) == (2.5, 1)
    assert tick_view(TickStats(count=0, total=0, longest=0))["tickAvgMs"] == 0


def test_the_meter_forgets_what_is_five_seconds_old():
    meter = TickMeter()
    assert meter.window(0.0) == (0, 0.0, 0.0)
    for second in range(20):
        meter.took(second, second + 0.25)
        meter.took(second + 0.5, second + 0.75 + second / 100)
    count, total, longest = meter.window(20.0)
    assert (count, longest) == (10, pytest.approx(0.44))
    assert total == pytest.approx(5 * 0.5 + sum(range(15, 20)) / 100)
    assert meter.window(100.0) == (0, 0.0, 0.0)
