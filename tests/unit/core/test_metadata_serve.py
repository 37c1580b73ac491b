from __future__ import annotations

import pytest

from millstream.core.geometry import ConnectionId
from millstream.core.metadata_serve import (
    COPY_SECONDS,
    MAX_COPIES,
    MAX_UNSENT,
    MAX_WAITING,
    MetadataServe,
)
from millstream.errors import RemoteProtocolError
from millstream.protocol.ut_metadata import (
    METADATA_PIECE_LENGTH,
    MetadataData,
    MetadataReject,
    MetadataRequest,
)

INFO = bytes(range(256)) * 128 + b"end"
A, B = ConnectionId(1), ConnectionId(2)


def ask(
    serve: MetadataServe, piece: int, now: float = 0.0, unsent: int = 0, peer: ConnectionId = A
) -> MetadataData | MetadataReject | None:
    return serve.respond(peer, MetadataRequest(piece), now, unsent)


def test_the_pieces():
    serve = MetadataServe(INFO)
    answers = [ask(serve, piece) for piece in range(3)]
    assert answers == [
        MetadataData(piece, len(INFO), INFO[piece * METADATA_PIECE_LENGTH :][:16384])
        for piece in range(3)
    ]
    assert len(answers[2].data) == 3


@pytest.mark.parametrize("piece", [3, 10**19])
def test_what_there_is_not_is_rejected(piece):
    assert ask(MetadataServe(INFO), piece) == MetadataReject(piece)


def test_before_it_is_known_everything_is_rejected():
    assert ask(MetadataServe(None), 0) == MetadataReject(0)


def test_a_flood_is_rejected_until_time_has_passed():
    serve = MetadataServe(INFO)
    for _ in range(MAX_COPIES):
        assert all(isinstance(ask(serve, piece), MetadataData) for piece in range(3))
    assert ask(serve, 0) == MetadataReject(0)
    assert isinstance(ask(serve, 0, peer=B), MetadataData)
    later = COPY_SECONDS
    answers = [ask(serve, piece % 3, later) for piece in range(4)]
    assert [type(answer) for answer in answers] == 3 * [MetadataData] + [MetadataReject]
    much_later = 1000 * COPY_SECONDS
    answers = [ask(serve, 0, much_later) for _ in range(10)]
    assert sum(isinstance(answer, MetadataData) for answer in answers) == 3 * MAX_COPIES


def test_requests_wait_while_much_is_unsent():
    serve = MetadataServe(INFO)
    assert isinstance(ask(serve, 0, unsent=MAX_UNSENT - 1), MetadataData)
    assert ask(serve, 1, unsent=MAX_UNSENT) is None
    assert ask(serve, 2) is None  # not before its turn
    assert serve.waiting() == [A]
    assert serve.resume(A, 0.0, MAX_UNSENT) is None
    assert serve.resume(A, 0.0, 0) == MetadataData(1, len(INFO), INFO[16384:32768])
    assert serve.resume(A, 0.0, 0) == MetadataData(2, len(INFO), b"end")
    assert serve.resume(A, 0.0, 0) is None
    assert serve.waiting() == []
    assert serve.resume(B, 0.0, 0) is None


def test_only_so_many_wait():
    serve = MetadataServe(INFO)
    for _ in range(MAX_WAITING):
        ask(serve, 0, unsent=MAX_UNSENT)
    with pytest.raises(RemoteProtocolError):
        ask(serve, 0, unsent=MAX_UNSENT)
    serve.remove_peer(A)
    serve.remove_peer(A)
    assert serve.waiting() == []
