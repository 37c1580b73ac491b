from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import DownloadStage, pieces

from millstream.core import download as download_module
from millstream.core import endgame
from millstream.core.config import TransferConfig
from millstream.core.file_priority import PiecePriorities
from millstream.core.partial_piece import PartialPiece
from millstream.core.request_depth import MIN_DEPTH
from millstream.errors import RemoteProtocolError
from millstream.protocol.messages import BLOCK_LENGTH

TIMEOUT = TransferConfig().request_timeout


def begun(asked: list[tuple[int, int]]) -> list[int]:
    """The pieces in the order they were first asked for."""
    return list(dict.fromkeys(piece for piece, _ in asked))


# Asking: which pieces.


def test_rarest_first():
    stage = DownloadStage(4, 2)
    peer = stage.peer()
    stage.peer("*   ")
    stage.peer("*** ")
    stage.peer("** *")
    assert begun(stage.ask(peer))[2:] == [1, 0]


def test_random_among_equals():
    orders = set()
    for seed in range(30):
        stage = DownloadStage(3, 2, seed=seed)
        orders.add(tuple(begun(stage.ask(stage.peer()))))
    assert len(orders) == 6


def test_the_generator_decides():
    asked = []
    for _ in range(2):
        stage = DownloadStage(20, 2, seed=5)
        asked.append(stage.ask(stage.peer()))
    assert asked[0] == asked[1]


def test_sequential():
    stage = DownloadStage(5, 2)
    stage.need.sequential = True
    stage.peer("**   ")
    assert begun(stage.ask(stage.peer(" * **"))) == [1, 3, 4]


def test_pieces_that_were_begun_come_first():
    stage = DownloadStage(8, 4)
    first = stage.ask(stage.peer(depth=6))
    assert len(first) == 6
    rest = stage.ask(stage.peer(depth=4))
    # The two blocks that are left of the second piece, then a new piece.
    assert rest[:2] == [(first[-1][0], 2), (first[-1][0], 3)]
    assert len(begun(rest)) == 2


def test_only_pieces_that_the_peer_has():
    stage = DownloadStage(4, 4)
    stage.ask(stage.peer("*   ", depth=2))
    assert begun(stage.ask(stage.peer(" *  "))) == [1]


def test_only_pieces_that_we_lack_and_want():
    stage = DownloadStage(4, 2)
    stage.need.have = pieces("*   ")
    stage.need.wanted = pieces("** *")
    peer = stage.peer()
    assert sorted(begun(stage.ask(peer))) == [1, 3]
    assert stage.need.missing == pieces(" * *")


def test_blocks_are_asked_for_once_while_there_are_others():
    stage = DownloadStage(4, 4)
    peers = [stage.peer(depth=5) for _ in range(4)]
    asked = [block for peer in peers for block in stage.ask(peer)]
    assert len(set(asked)) == len(asked) == 16


def test_short_last_blocks():
    stage = DownloadStage(2, 2, last_length=100)
    assert sorted(stage.ask(stage.peer())) == [(0, 0), (0, 1), (1, 0)]
    stage.check_invariant()


# Asking: how much.


def test_requests_leave_in_one_send():
    stage = DownloadStage(8, 4)
    peer = stage.peer()
    stage.ask(peer)
    assert peer.outstanding == 32
    assert stage.links[peer.id].sends == 1


def test_no_more_than_the_depth():
    stage = DownloadStage(8, 4)
    peer = stage.peer(depth=7)
    assert len(stage.ask(peer)) == 7
    assert stage.ask(peer) == []
    stage.check_invariant()


def test_a_full_queue_is_topped_up_in_batches():
    stage = DownloadStage(64, 4)
    peer = stage.peer(depth=32)
    asked = stage.ask(peer)
    peer.depth._growing = False
    stage.deliver(peer, *asked[:7])
    assert stage.ask(peer) == []
    stage.deliver(peer, asked[7])
    assert len(stage.ask(peer)) == 8


def test_the_depth_follows_what_comes():
    stage = DownloadStage(64, 4)
    peer = stage.peer(depth=32)
    stage.deliver(peer, *stage.ask(peer))
    # Slow start: each block that comes makes room for two.
    assert len(stage.ask(peer)) == 64


@pytest.mark.parametrize("change", [{"peer_choking": True}, {"am_interested": False}])
def test_nothing_is_asked_of_who_chokes_or_bores_us(change):
    stage = DownloadStage()
    peer = stage.peer()
    for name, value in change.items():
        setattr(peer, name, value)
    assert stage.ask(peer) == []


def test_no_more_pieces_than_the_pool_has_room_for():
    stage = DownloadStage(8, 4, room=2)
    peer = stage.peer()
    assert len(begun(stage.ask(peer))) == 2
    assert stage.pool.room == 0
    assert list(stage.download.requester.starved) == [peer.id]
    stage.check_invariant()


def test_one_piece_is_always_allowed():
    stage = DownloadStage(4, 2, room=1)
    stage.pool.reserve(10 * stage.geometry.piece_length)
    assert len(begun(stage.ask(stage.peer()))) == 1


def test_room_comes_back_from_the_disk():
    stage = DownloadStage(4, 2, room=1)
    peer = stage.peer()
    asked = stage.ask(peer)
    stage.deliver(peer, *asked)
    assert stage.ask(peer) == []
    assert stage.write() == ([asked[0][0]], [])
    assert len(begun(stage.ask(peer))) == 1


# Taking in.


def test_a_whole_piece_goes_to_the_disk_once():
    stage = DownloadStage(1, 3, last_length=2 * BLOCK_LENGTH + 7)
    peer = stage.peer()
    assert len(stage.ask(peer)) == 3
    stage.deliver(peer, (0, 2), (0, 0))
    assert stage.download.whole == []
    stage.deliver(peer, (0, 1))
    assert [piece.index for piece in stage.download.whole] == [0]
    stage.check_invariant()
    assert stage.write() == ([0], [])
    assert stage.need.have == pieces("*")
    assert stage.pool.reserved_bytes == 0
    assert peer.downloaded.total == stage.geometry.total_length
    assert stage.download.wasted == 0


def test_contributors_are_recorded():
    stage = DownloadStage(1, 4)
    alice, bob = stage.peer(depth=3), stage.peer(depth=3)
    stage.deliver(alice, *stage.ask(alice))
    stage.deliver(bob, *stage.ask(bob))
    assert stage.download.whole[0].owner == [alice.id] * 3 + [bob.id]


@pytest.mark.parametrize(
    ("piece", "begin"),
    [
        (0, 0),
        (1, 0),
        (3, BLOCK_LENGTH),
        (3, 2 * BLOCK_LENGTH),
        (3, 1),
        (4, 0),
        (2**32 - 1, 0),
        (3, 2**32 - 1),
    ],
)
def test_a_block_that_was_not_requested_is_an_offence(piece, begin):
    stage = DownloadStage(4, 2, last_length=BLOCK_LENGTH)
    alice, bob = stage.peer("*  *"), stage.peer("*   ")
    stage.ask(alice)
    stage.ask(bob)
    with pytest.raises(RemoteProtocolError, match="not requested"):
        stage.receive(bob, piece, begin, bytes(BLOCK_LENGTH))
    stage.check_invariant()


def test_a_block_that_came_already_is_an_offence():
    stage = DownloadStage(1, 2)
    peer = stage.peer()
    stage.ask(peer)
    stage.deliver(peer, (0, 0))
    with pytest.raises(RemoteProtocolError, match="not requested"):
        stage.deliver(peer, (0, 0))
    stage.deliver(peer, (0, 1))
    with pytest.raises(RemoteProtocolError, match="not requested"):
        stage.deliver(peer, (0, 1))


@pytest.mark.parametrize(
    ("block", "length"),
    [
        (0, 0),
        (0, 1),
        (0, BLOCK_LENGTH - 1),
        (0, BLOCK_LENGTH + 1),
        (0, BLOCK_LENGTH + 100),  # to the end of the piece, over two blocks
        (1, 99),
        (1, 101),
        (1, BLOCK_LENGTH),
    ],
)
def test_a_block_of_the_wrong_length_is_an_offence(block, length):
    stage = DownloadStage(1, 2, last_length=BLOCK_LENGTH + 100)
    peer = stage.peer()
    stage.ask(peer)
    with pytest.raises(RemoteProtocolError, match=f"block of {length} bytes"):
        stage.receive(peer, 0, block * BLOCK_LENGTH, bytes(length))
    stage.check_invariant()


# Endgame.


def endgame_stage(blocks: int = 2):
    """One piece: all its blocks are owed by the first peer, and the second has nothing to do."""
    stage = DownloadStage(1, blocks)
    alice, bob = stage.peer(depth=500), stage.peer()
    assert len(stage.ask(alice)) == blocks
    stage.now += endgame.PATIENCE
    return stage, alice, bob


def test_what_another_owes_is_asked_for_twice():
    stage, alice, bob = endgame_stage()
    assert stage.ask(bob) == [(0, 1), (0, 0)]
    assert (alice.outstanding, bob.outstanding) == (2, 2)
    stage.check_invariant()


def test_not_before_it_had_time_to_come():
    stage, _, bob = endgame_stage()
    stage.now -= 0.01
    assert stage.ask(bob) == []


def test_a_few_at_a_time():
    stage, _, bob = endgame_stage(64)
    assert len(stage.ask(bob)) == endgame.MAX_DUPLICATES_PER_PEER
    assert stage.ask(bob) == []
    stage.deliver(bob, (0, 63))
    assert stage.ask(bob) == [(0, 55)]
    stage.check_invariant()


def test_whoever_is_second_gets_a_cancel():
    stage, alice, bob = endgame_stage()
    stage.ask(bob)
    stage.deliver(bob, (0, 1))
    assert stage.sent(alice) == [("cancel", 0, BLOCK_LENGTH, BLOCK_LENGTH)]
    stage.deliver(alice, (0, 0))
    assert stage.sent(bob) == [("cancel", 0, 0, BLOCK_LENGTH)]
    assert (alice.outstanding, bob.outstanding) == (0, 0)
    assert stage.download.whole[0].owner == [alice.id, bob.id]
    stage.check_invariant()


def test_a_duplicate_that_came_before_the_cancel_is_wasted_and_forgiven():
    stage, alice, bob = endgame_stage()
    stage.ask(bob)
    stage.deliver(bob, (0, 1))
    stage.deliver(alice, (0, 1))
    assert stage.download.wasted == BLOCK_LENGTH
    stage.check_invariant()
    with pytest.raises(RemoteProtocolError):
        stage.deliver(alice, (0, 1))


def test_a_rejected_duplicate_is_not_awaited():
    stage, alice, bob = endgame_stage(1)
    stage.ask(bob)
    stage.download.rejected(bob, 0, 0)
    stage.check_invariant()
    stage.deliver(alice, (0, 0))
    assert stage.sent(bob) == []
    assert stage.write() == ([0], [])


def test_a_duplicate_takes_over_from_an_owner_that_goes():
    stage, alice, bob = endgame_stage(1)
    stage.ask(bob)
    stage.gone(alice)
    stage.check_invariant()
    stage.deliver(bob, (0, 0))
    assert stage.write() == ([0], [])


# Giving up.


def test_unanswered_requests_are_freed_for_others():
    stage = DownloadStage(1, 2)
    alice, bob = stage.peer(), stage.peer()
    stage.ask(alice)
    stage.now += TIMEOUT
    stage.download.check_timeouts(stage.now)
    assert alice.outstanding == 2
    stage.now += 0.1
    stage.download.check_timeouts(stage.now)
    assert alice.outstanding == 0
    assert alice.depth.depth == MIN_DEPTH
    assert stage.ask(bob) == [(0, 0), (0, 1)]
    stage.check_invariant()


def test_a_timeout_counts_from_the_first_request_that_is_open():
    stage = DownloadStage(1, 3)
    alice = stage.peer(depth=1)
    assert stage.ask(alice) == [(0, 0)]
    stage.now += TIMEOUT - 1
    stage.deliver(alice, (0, 0))
    alice.now = stage.now
    alice.depth.depth = 2
    assert stage.ask(alice) == [(0, 1), (0, 2)]
    stage.now += TIMEOUT - 1
    assert not stage.download.check_timeouts(stage.now)
    assert alice.outstanding == 2
    stage.now += 2
    assert stage.download.check_timeouts(stage.now)
    assert alice.outstanding == 0
    stage.check_invariant()


def flowing_stage(seconds: int, *, every: float = 0.1):
    """A peer that has sent a block every so often for a while, and owes many."""
    stage = DownloadStage(400, 2)
    alice = stage.peer(depth=8)
    owed = stage.ask(alice)
    while stage.now < seconds:
        stage.now += every
        alice.now = stage.now
        stage.deliver(alice, owed.pop(0))
        owed += stage.ask(alice)
        stage.write()
        assert not stage.download.check_timeouts(stage.now)
    return stage, alice


def test_who_sent_fast_and_falls_silent_is_noticed_within_seconds():
    stage, alice = flowing_stage(40)
    assert alice.outstanding
    stage.now += 4.0
    assert stage.download.check_timeouts(stage.now)
    assert alice.outstanding == 0
    assert alice.snubbed


def test_who_sends_slowly_but_steadily_is_waited_for():
    stage, alice = flowing_stage(600, every=20.0)
    assert alice.outstanding
    stage.now += TIMEOUT - 1
    assert not stage.download.check_timeouts(stage.now)


def test_under_a_rate_limit_silence_is_no_fault():
    stage, _ = flowing_stage(40)
    stage.download.rate_limit = 4096
    stage.now += 15.0
    assert not stage.download.check_timeouts(stage.now)
    stage.now += 2.0
    assert stage.download.check_timeouts(stage.now)


def test_while_nothing_is_read_silence_is_no_fault():
    stage, _ = flowing_stage(40)
    stage.download.is_paused = True
    stage.now += 100.0
    assert not stage.download.check_timeouts(stage.now)
    stage.download.is_paused = False
    stage.now += 2.0
    assert not stage.download.check_timeouts(stage.now)
    stage.now += 2.0
    assert stage.download.check_timeouts(stage.now)


def test_a_request_that_is_passed_over_is_asked_of_somebody_else():
    stage = DownloadStage(400, 2)
    alice = stage.peer(depth=8)
    passed_over, *owed = stage.ask(alice)
    while not stage.download.check_timeouts(stage.now):
        stage.now += 0.5
        alice.now = stage.now
        owed += stage.ask(alice)
        stage.deliver(alice, owed.pop(0))
    assert TIMEOUT <= stage.now <= TIMEOUT + 2
    assert alice.outstanding == len(owed)
    assert not alice.snubbed
    stage.check_invariant()
    assert stage.ask(stage.peer(depth=1)) == [passed_over]


def test_who_was_asked_in_the_endgame_has_its_own_time():
    stage, alice, bob = endgame_stage(1)
    stage.now = TIMEOUT - 1
    assert stage.ask(bob) == [(0, 0)]
    stage.now = 2 * TIMEOUT - 2
    stage.download.check_timeouts(stage.now)
    assert bob.outstanding == 1
    assert bob.depth.depth > MIN_DEPTH
    stage.now = 2 * TIMEOUT
    stage.download.check_timeouts(stage.now)
    stage.check_invariant()
    assert (alice.outstanding, bob.outstanding) == (0, 0)


def test_who_let_a_request_time_out_is_snubbed_until_a_block_comes():
    stage = DownloadStage(2, 2)
    peer = stage.peer()
    asked = stage.ask(peer)
    stage.now += TIMEOUT + 1
    stage.download.check_timeouts(stage.now)
    assert peer.snubbed
    stage.ask(peer)
    assert peer.snubbed
    stage.deliver(peer, asked[0])
    stage.ask(peer)
    assert not peer.snubbed


def test_who_is_snubbed_is_asked_for_no_duplicates():
    stage, _, bob = endgame_stage()
    bob.snubbed = True
    assert stage.ask(bob) == []
    bob.snubbed = False
    assert len(stage.ask(bob)) == 2


def late_stage():
    """Two blocks: the first came from alice, the second was given up on."""
    stage = DownloadStage(1, 2)
    alice, bob = stage.peer(), stage.peer()
    stage.ask(alice)
    stage.deliver(alice, (0, 0))
    stage.now += TIMEOUT + 1
    stage.download.check_timeouts(stage.now)
    return stage, alice, bob


def test_a_late_answer_is_welcome_while_nobody_else_was_asked():
    stage, alice, _ = late_stage()
    stage.deliver(alice, (0, 1))
    stage.check_invariant()
    assert stage.download.wasted == 0
    assert stage.write() == ([0], [])


def test_a_late_answer_is_welcome_while_somebody_else_is_asked():
    stage, alice, bob = late_stage()
    assert stage.ask(bob) == [(0, 1)]
    stage.deliver(alice, (0, 1))
    assert stage.sent(bob) == [("cancel", 0, BLOCK_LENGTH, BLOCK_LENGTH)]
    assert stage.download.whole[0].owner == [alice.id] * 2
    stage.check_invariant()


def test_a_late_answer_leaves_the_rest_of_its_piece_as_it_was():
    stage = DownloadStage(1, 2)
    alice, bob = stage.peer(), stage.peer(depth=1)
    stage.ask(alice)
    stage.now += TIMEOUT + 1
    stage.download.check_timeouts(stage.now)
    assert stage.ask(bob) == [(0, 0)]
    stage.deliver(alice, (0, 1))
    stage.check_invariant()
    assert (alice.outstanding, bob.outstanding) == (0, 1)


def test_an_answer_that_is_too_late_is_wasted_and_no_offence():
    stage, alice, bob = late_stage()
    stage.ask(bob)
    stage.deliver(bob, (0, 1))
    stage.deliver(alice, (0, 1))
    assert stage.download.wasted == BLOCK_LENGTH
    assert stage.write() == ([0], [])


def test_a_late_answer_of_the_wrong_length_is_an_offence():
    stage, alice, _ = late_stage()
    with pytest.raises(RemoteProtocolError, match="block of 5 bytes"):
        stage.receive(alice, 0, BLOCK_LENGTH, b"short")


def test_who_is_asked_again_may_answer_each_time():
    stage, alice, _ = late_stage()
    for _ in range(2):
        assert stage.ask(alice) == [(0, 1)]
        stage.now += TIMEOUT + 1
        stage.download.check_timeouts(stage.now)
    assert stage.ask(alice) == [(0, 1)]
    for _ in range(4):
        stage.deliver(alice, (0, 1))
    with pytest.raises(RemoteProtocolError):
        stage.deliver(alice, (0, 1))


def test_who_is_asked_again_may_refuse_one_and_answer_the_other():
    stage, alice, _ = late_stage()
    assert stage.ask(alice) == [(0, 1)]
    stage.download.rejected(alice, 0, BLOCK_LENGTH)
    stage.check_invariant()
    stage.deliver(alice, (0, 1))
    assert stage.write() == ([0], [])


def test_a_rejected_request_is_asked_of_somebody_else():
    stage = DownloadStage(1, 2)
    alice, bob = stage.peer(), stage.peer()
    stage.ask(alice)
    stage.download.rejected(alice, 0, BLOCK_LENGTH)
    assert alice.outstanding == 1
    assert stage.ask(bob) == [(0, 1)]
    stage.check_invariant()


@pytest.mark.parametrize(("piece", "begin"), [(0, 0), (1, 0), (0, 2 * BLOCK_LENGTH), (9, 0)])
def test_a_reject_of_what_was_not_requested_means_nothing(piece, begin):
    stage = DownloadStage(2, 2)
    alice, bob = stage.peer("* "), stage.peer("* ")
    stage.ask(alice)
    stage.download.rejected(bob, piece, begin)
    assert (alice.outstanding, bob.outstanding) == (2, 0)
    stage.check_invariant()


def test_who_goes_owes_nothing_and_holds_up_nobody():
    # Seed 004: requests that were kept under an address that no longer existed stalled for good.
    stage = DownloadStage(2, 2)
    alice = stage.peer()
    asked = stage.ask(alice)
    stage.deliver(alice, asked[0])
    stage.gone(alice)
    stage.check_invariant()
    assert stage.pool.reserved_bytes == stage.geometry.piece_length
    bob = stage.peer()
    assert sorted(stage.ask(bob)) == sorted(asked[1:])
    stage.deliver(bob, *asked[1:])
    verified, _ = stage.write()
    assert sorted(verified) == [0, 1]


def test_who_goes_is_no_longer_counted():
    stage = DownloadStage(4, 2, room=1)
    alice, bob = stage.peer("**  "), stage.peer("*   ")
    stage.ask(alice)
    stage.gone(alice)
    assert [stage.download.availability.of(piece) for piece in range(4)] == [1, 0, 0, 0]
    assert alice.id not in stage.download.requester.starved
    stage.gone(bob)
    assert stage.download.availability.available() == 0
    assert stage.pool.reserved_bytes == 0


# What is not wanted any more.


def want(stage: DownloadStage, wanted: str) -> None:
    stage.prefer(PiecePriorities(pieces(wanted), (pieces(wanted),)))
    stage.check_invariant()


def test_what_is_begun_and_not_wanted_any_more_is_given_up():
    stage = DownloadStage(3, 2, last_length=BLOCK_LENGTH + 9)
    stage.need.sequential = True
    alice, bob = stage.peer(depth=6), stage.peer("* *")
    assert len(stage.ask(alice)) == 6
    stage.deliver(alice, (0, 0), (2, 1))
    want(stage, " * ")
    length = BLOCK_LENGTH
    assert stage.sent(alice) == [("cancel", 0, length, length), ("cancel", 2, 0, length)]
    assert stage.sent(bob) == []
    assert stage.links[alice.id].sends == 2
    assert alice.outstanding == 2
    assert stage.download.wasted == length + 9
    assert stage.pool.reserved_bytes == 2 * length
    assert stage.ask(bob) == []


def test_whoever_was_asked_for_what_is_given_up_is_told():
    stage = DownloadStage(1, 2)
    alice, bob = stage.peer(), stage.peer()
    stage.ask(alice)
    stage.now += endgame.PATIENCE
    assert len(stage.ask(bob)) == 2
    want(stage, " ")
    cancels = {("cancel", 0, block * BLOCK_LENGTH, BLOCK_LENGTH) for block in (0, 1)}
    assert set(stage.sent(alice)) == set(stage.sent(bob)) == cancels
    assert (alice.outstanding, bob.outstanding) == (0, 0)
    assert stage.pool.reserved_bytes == 0


def test_what_is_on_its_way_when_it_is_given_up_is_no_offence():
    stage = DownloadStage(2, 2)
    peer = stage.peer()
    asked = stage.ask(peer)
    want(stage, "  ")
    assert len(stage.sent(peer)) == 4
    stage.deliver(peer, *asked)
    assert stage.download.wasted == stage.geometry.total_length
    assert stage.pool.reserved_bytes == 0
    want(stage, "**")
    stage.deliver(peer, *stage.ask(peer))
    assert sorted(stage.write()[0]) == [0, 1]


def test_a_whole_piece_that_is_not_wanted_any_more_does_not_go_to_the_disk():
    stage = DownloadStage(2, 2)
    peer = stage.peer()
    stage.deliver(peer, *stage.ask(peer))
    want(stage, "* ")
    assert [piece.index for piece in stage.download.whole] == [0]
    assert stage.download.wasted == stage.geometry.piece_length
    assert stage.write() == ([0], [])
    assert stage.pool.reserved_bytes == 0


def test_what_the_disk_has_already_may_be_written_though_it_is_not_wanted():
    stage = DownloadStage(1, 2)
    peer = stage.peer()
    stage.deliver(peer, *stage.ask(peer))
    stage.download.whole.clear()
    want(stage, " ")
    assert stage.download.piece_written(0) == []
    assert stage.need.have == pieces("*")


def test_who_goes_before_what_it_owes_is_given_up_is_told_nothing():
    stage = DownloadStage(1, 2)
    alice = stage.peer()
    stage.ask(alice)
    stage.deliver(alice, (0, 0))
    stage.gone(alice)
    want(stage, " ")
    assert stage.sent(alice) == []
    assert stage.pool.reserved_bytes == 0


# While the torrent is stopped.


def stopped_stage(*, corrupt: list[tuple[int, int]]) -> tuple[DownloadStage, list[PartialPiece]]:
    """Of the pieces 0 and 2 some came, and that was kept while the torrent was stopped."""
    stage = DownloadStage(4, 4)
    alice = stage.peer("* * ")
    stage.ask(alice)
    stage.deliver(alice, (0, 1), (2, 0), (2, 3), corrupt=corrupt)
    kept = stage.download.partial_pieces(1 << 30)
    stage.gone(alice)
    stage.download.active.clear()
    assert stage.pool.reserved_bytes == 0
    return stage, kept


def test_what_came_before_a_stop_does_not_come_again():
    stage, kept = stopped_stage(corrupt=[])
    assert [piece.index for piece in kept] == [2, 0]
    assert stage.download.restore_partial(kept) == 2
    assert stage.pool.reserved_bytes == 2 * stage.geometry.piece_length
    stage.check_invariant()
    bob = stage.peer("* * ")
    asked = stage.ask(bob)
    assert sorted(asked) == [(0, 0), (0, 2), (0, 3), (2, 1), (2, 2)]
    stage.deliver(bob, *asked)
    assert stage.write() == ([2, 0], [])
    assert stage.download.wasted == 0


def test_nobody_is_blamed_for_what_came_before_a_stop():
    stage, kept = stopped_stage(corrupt=[(2, 3)])
    stage.download.restore_partial(kept)
    bob = stage.peer("  * ")
    stage.deliver(bob, *stage.ask(bob))
    assert stage.write() == ([], [])
    assert stage.download._corruption.is_suspect(2)
    bob.depth.depth = 4
    stage.deliver(bob, *stage.ask(bob))
    assert stage.write() == ([2], [])
    assert not stage.download._corruption.is_suspect(2)


def test_whoever_spoils_what_came_before_a_stop_is_found():
    stage, kept = stopped_stage(corrupt=[])
    stage.download.restore_partial(kept)
    bob, carol = stage.peer("  * "), stage.peer("  * ")
    stage.deliver(bob, *stage.ask(bob), corrupt=[(2, 1)])
    assert stage.write() == ([], [])
    stage.deliver(carol, *stage.ask(carol))
    assert stage.write() == ([2], [bob.address])


def test_a_suspect_piece_is_not_kept_or_put_back():
    stage, alice, _ = shared_piece(corrupt=[(0, 3)])
    stage.write()
    stage.deliver(alice, *stage.ask(alice))
    assert stage.download.active.taken
    assert stage.download.partial_pieces(1 << 30) == []
    stage.gone(alice)
    stage.download.active.clear()
    kept = PartialPiece(0, b"\x80", bytes(BLOCK_LENGTH))
    assert stage.download.restore_partial([kept]) == 0


def test_only_what_is_missing_and_makes_sense_is_put_back():
    stage, [kept, other] = stopped_stage(corrupt=[])
    lies = [replace(kept, index=9), replace(kept, data=b""), replace(kept, received=b"\xff\xff")]
    assert stage.download.restore_partial([*lies, kept, kept]) == 1
    stage.check_invariant()
    stage.download.active.clear()
    stage.need.have = pieces("  * ")
    assert stage.download.restore_partial([kept]) == 0
    want(stage, " ***")
    assert stage.download.restore_partial([other]) == 0
    assert stage.pool.reserved_bytes == 0


def test_what_finds_no_room_is_not_put_back():
    stage, kept = stopped_stage(corrupt=[])
    stage.pool.reserve(stage.geometry.piece_length)
    assert stage.download.restore_partial(kept) == 1
    assert stage.download.active.get(2) is not None
    stage.download.active.clear()
    stage.pool.reserve(3 * stage.geometry.piece_length)
    assert stage.download.restore_partial(kept) == 0


# The disk's answers.


def shared_piece(*, corrupt: list[tuple[int, int]]):
    """A piece of which alice gave the first two blocks and bob the others."""
    stage = DownloadStage(1, 4)
    alice, bob = stage.peer(depth=2), stage.peer(depth=2)
    for peer in (alice, bob):
        stage.deliver(peer, *stage.ask(peer), corrupt=corrupt)
        peer.fresh_blocks = 0
    return stage, alice, bob


def test_a_sole_contributor_is_found_at_once():
    stage = DownloadStage(1, 2)
    peer = stage.peer()
    stage.deliver(peer, *stage.ask(peer), corrupt=[(0, 1)])
    assert stage.write() == ([], [peer.address])
    assert stage.need.have == 0
    assert stage.download.wasted == stage.geometry.piece_length
    assert stage.pool.reserved_bytes == 0
    stage.check_invariant()


def test_of_several_contributors_the_one_whose_block_differs_is_found():
    stage, _, bob = shared_piece(corrupt=[(0, 3)])
    assert stage.write() == ([], [])
    carol = stage.peer()
    stage.deliver(carol, *stage.ask(carol))
    assert stage.write() == ([0], [bob.address])


def test_a_suspect_piece_comes_from_one_peer_alone():
    stage, alice, bob = shared_piece(corrupt=[(0, 3)])
    stage.write()
    alice.depth.depth = 2
    assert stage.ask(alice) == [(0, 0), (0, 1)]
    assert stage.ask(bob) == []
    stage.now += 10 * endgame.PATIENCE
    assert stage.ask(bob) == []
    stage.deliver(alice, (0, 0), (0, 1), corrupt=[(0, 0)])
    assert stage.ask(bob) == []
    stage.deliver(alice, *stage.ask(alice))
    assert stage.write() == ([], [alice.address])


def test_a_suspect_piece_is_not_left_to_a_peer_that_went():
    stage, alice, bob = shared_piece(corrupt=[(0, 3)])
    stage.write()
    stage.ask(alice)
    stage.deliver(alice, (0, 0))
    stage.gone(alice)
    asked = stage.ask(bob)
    stage.deliver(bob, *asked)
    while (0, 3) not in asked:
        asked = stage.ask(bob)
        stage.deliver(bob, *asked)
    assert stage.write()[0] == [0]


def test_a_suspect_piece_is_not_left_to_a_peer_that_is_silent():
    stage, alice, bob = shared_piece(corrupt=[(0, 3)])
    stage.write()
    alice.depth.depth = bob.depth.depth = 4
    assert len(stage.ask(alice)) == 4
    stage.deliver(alice, (0, 0))
    stage.now += TIMEOUT + 1
    stage.download.check_timeouts(stage.now)
    assert stage.ask(bob) == [(0, 1), (0, 2), (0, 3)]


def test_a_suspect_piece_is_not_left_to_a_peer_that_refuses():
    stage, alice, bob = shared_piece(corrupt=[(0, 3)])
    stage.write()
    alice.depth.depth = bob.depth.depth = 4
    stage.ask(alice)
    stage.deliver(alice, (0, 0))
    alice.peer_choking = True
    for block in (1, 2, 3):
        stage.download.rejected(alice, 0, block * BLOCK_LENGTH)
    assert stage.ask(bob) == [(0, 1), (0, 2), (0, 3)]


def test_a_culprit_is_found_though_it_is_gone():
    stage, alice, bob = shared_piece(corrupt=[(0, 3)])
    stage.gone(bob)
    stage.write()
    stage.gone(alice)
    carol = stage.peer()
    stage.deliver(carol, *stage.ask(carol))
    assert stage.write() == ([0], [bob.address])


def test_a_sole_contributor_is_found_though_it_is_gone():
    stage = DownloadStage(1, 2)
    peer = stage.peer()
    stage.deliver(peer, *stage.ask(peer), corrupt=[(0, 1)])
    stage.gone(peer)
    assert stage.write() == ([], [peer.address])


def test_those_who_left_are_remembered_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(download_module, "MAX_DEPARTED", 1)
    stage, alice, bob = shared_piece(corrupt=[(0, 0)])
    stage.gone(alice)
    stage.gone(bob)
    assert stage.write() == ([], [])
    carol = stage.peer()
    stage.deliver(carol, *stage.ask(carol))
    assert stage.write()[0] == [0]


def test_nobody_is_accused_when_the_sender_is_forgotten(monkeypatch):
    monkeypatch.setattr(download_module, "MAX_DEPARTED", 1)
    stage = DownloadStage(2, 1)
    alice = stage.peer("* ")
    stage.deliver(alice, *stage.ask(alice), corrupt=[(0, 0)])
    stage.gone(alice)
    bob = stage.peer(" *")
    stage.deliver(bob, *stage.ask(bob))
    stage.gone(bob)
    assert stage.write() == ([1], [])
