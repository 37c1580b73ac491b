from __future__ import annotations

import asyncio

import pytest

from millstream.errors import StorageError, TorrentRemovedError
from millstream.protocol.infohash import InfoHash
from millstream.rpc.moves import Moves
from millstream.rpc.refusals import Refusal

ONE, OTHER = InfoHash(b"1" * 20), InfoHash(b"2" * 20)


async def fail():
    raise StorageError("/srv", "a file is in the way")


async def test_a_quick_move_is_done_or_has_failed_at_once():
    moves = Moves()
    assert await moves.begin(ONE, asyncio.sleep(0))
    assert not moves.is_moving(ONE)
    with pytest.raises(StorageError, match="in the way"):
        await moves.begin(ONE, fail())
    assert moves.error(ONE) is None


async def test_a_long_move_goes_on():
    moves, end = Moves(), asyncio.Event()

    async def move():
        await end.wait()
        await fail()

    assert not await moves.begin(ONE, move(), patience=0)
    assert moves.is_moving(ONE)
    with pytest.raises(Refusal, match="already"):
        await moves.begin(ONE, move(), patience=0)
    assert await moves.begin(OTHER, asyncio.sleep(0))
    end.set()
    while moves.is_moving(ONE):  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
    assert "in the way" in str(moves.error(ONE))
    assert await moves.begin(ONE, asyncio.sleep(0))
    assert moves.error(ONE) is None


async def test_who_is_gone_has_no_error():
    moves, end = Moves(), asyncio.Event()

    async def fail_later():
        await end.wait()
        await fail()

    assert not await moves.begin(ONE, fail_later(), patience=0)
    end.set()
    while moves.is_moving(ONE):  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
    assert moves.error(ONE) is not None
    moves.forget(ONE)
    assert moves.error(ONE) is None


async def test_who_is_removed_while_it_moves_leaves_no_error_behind():
    moves, end = Moves(), asyncio.Event()

    async def removed():
        await end.wait()
        raise TorrentRemovedError("it was removed")

    asking = asyncio.create_task(moves.begin(ONE, removed()))
    await asyncio.sleep(0)
    moves.forget(ONE)
    end.set()
    with pytest.raises(TorrentRemovedError):
        await asking
    end.clear()
    assert not await moves.begin(ONE, removed(), patience=0)
    moves.forget(ONE)
    end.set()
    while moves.is_moving(ONE):  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
    assert moves.error(ONE) is None


async def test_closing_stops_all():
    moves = Moves()
    assert not await moves.begin(ONE, asyncio.sleep(60), patience=0)
    await moves.close()
    assert not moves.is_moving(ONE)
    await moves.close()
