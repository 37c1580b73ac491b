"""What a peer is asked for; who gets what is left of old pieces is in test_download."""

from __future__ import annotations

import pytest
from fakes import DownloadStage, pieces

from millstream.core.config import TransferConfig
from millstream.core.file_priority import PiecePriorities
from millstream.core.peer import Peer
from millstream.core.stealing import EAGER_FACTOR, IDLE_FACTOR, NEXT_PATIENCE
from millstream.protocol.messages import BLOCK_LENGTH

B = BLOCK_LENGTH


def rate(stage: DownloadStage, peer: Peer, blocks: float) -> None:
    """The peer is one that sends so many blocks a second."""
    peer.downloaded._rate = blocks * B
    peer.downloaded._since = stage.now
    peer.downloaded._started = stage.now - 1000.0


# Stealing.


def held_stage(slow: float, *, count: int = 2) -> tuple[DownloadStage, Peer, Peer, list]:
    """A slow peer owes a piece for a while, a fast one is there; there are `count` pieces."""
    stage = DownloadStage(count, 4)
    owner, thief = stage.peer(depth=4), stage.peer(depth=4)
    owed = stage.ask(owner)
    assert len(owed) == 4
    stage.now += NEXT_PATIENCE
    rate(stage, owner, slow)
    rate(stage, thief, 100.0)
    stage.download.requester.beat(stage.now)
    return stage, owner, thief, owed


def test_in_order_what_a_much_slower_peer_owes_comes_before_new_pieces():
    stage, owner, thief, owed = held_stage(100.0 / EAGER_FACTOR)
    stage.need.sequential = True
    assert stage.ask(thief) == owed[::-1]
    assert (owner.outstanding, thief.outstanding) == (4, 4)
    stage.check_invariant()


def test_what_a_slower_peer_owes_comes_after_new_pieces():
    stage, _, thief, owed = held_stage(100.0 / IDLE_FACTOR)
    asked = stage.ask(thief)
    assert not set(asked) & set(owed)
    stage.deliver(thief, *asked)
    rate(stage, thief, 100.0)
    thief.depth.depth = 4
    assert stage.ask(thief) == owed[::-1]
    stage.check_invariant()


def test_nothing_is_taken_from_a_peer_that_is_hardly_slower():
    stage, _, thief, owed = held_stage(60.0)
    asked = stage.ask(thief)
    stage.deliver(thief, *asked)
    stage.now += 0.1
    rate(stage, thief, 100.0)
    # But in the endgame it is asked for, too.
    assert set(stage.ask(thief)) <= set(owed)
    assert thief.outstanding


def test_whoever_is_first_wins_and_the_other_gets_a_cancel():
    stage, owner, thief, owed = held_stage(1.0, count=1)
    stage.ask(thief)
    stage.deliver(thief, *owed[2:])
    stage.deliver(owner, *owed[:2])
    assert [message[:3] for message in stage.sent(owner)] == [
        ("cancel", index, block * B) for index, block in owed[2:]
    ]
    assert [message[:3] for message in stage.sent(thief)] == [
        ("cancel", index, block * B) for index, block in owed[:2]
    ]
    assert (owner.outstanding, thief.outstanding) == (0, 0)
    assert len(stage.write()[0]) == 1
    stage.check_invariant()


def test_a_thief_that_goes_leaves_the_block_to_its_owner():
    stage, owner, thief, owed = held_stage(1.0, count=1)
    stage.ask(thief)
    stage.gone(thief)
    stage.check_invariant()
    stage.deliver(owner, *owed)
    assert len(stage.write()[0]) == 1


def test_what_was_given_up_since_it_was_listed_is_not_stolen():
    stage, owner, thief, _ = held_stage(1.0)
    stage.gone(owner)
    stage.ask(thief)
    stage.check_invariant()
    stage, owner, thief, _ = held_stage(1.0)
    stage.download.active.clear()
    owner.outstanding = 0
    stage.ask(thief)
    stage.check_invariant()


def test_slow_peers_do_not_hold_a_fast_one_up_when_they_hold_all_the_room():
    stage = DownloadStage(8, 4, room=2)
    slow = [stage.peer(depth=4) for _ in range(2)]
    owed = [block for peer in slow for block in stage.ask(peer)]
    stage.now += NEXT_PATIENCE
    for peer in slow:
        rate(stage, peer, 1.0)
    thief = stage.peer(depth=32)
    rate(stage, thief, 100.0)
    stage.download.requester.beat(stage.now)
    assert sorted(stage.ask(thief)) == sorted(owed)


# Many peers, little room.


def test_a_peer_gets_no_more_than_its_share_while_others_starve():
    config = TransferConfig(max_buffered_bytes=1 << 20)
    stage = DownloadStage(64, 4, room=16, config=config)
    peers = [stage.peer(depth=500) for _ in range(4)]
    assert len(stage.ask(peers[0])) == 64
    assert stage.ask(peers[1]) == []
    stage.download.requester.beat(stage.now)  # 64 blocks are 16 for each
    piece = next(iter(stage.download.active))
    stage.deliver(peers[0], *((int(piece.index), block) for block in range(4)))
    stage.write()
    assert stage.ask(peers[0]) == []
    assert len(stage.ask(peers[2])) == 4


def test_room_goes_to_who_waited_longest():
    stage = DownloadStage(64, 4, room=2)
    first, *others = [stage.peer(depth=8) for _ in range(3)]
    owed = stage.ask(first)
    for peer in others:
        assert stage.ask(peer) == []
    requester = stage.download.requester
    assert list(requester.starved.values()) == others
    stage.deliver(first, *owed)
    stage.write()
    requester.feed_starved(stage.now)
    assert [peer.outstanding for peer in others] == [8, 0]
    assert list(requester.starved.values()) == others[1:]
    stage.gone(others[1])
    assert not requester.starved


def test_freed_blocks_go_to_who_has_nothing_to_do():
    stage = DownloadStage(1, 4)
    alice, bob, carol = (stage.peer() for _ in range(3))
    stage.ask(alice)
    assert stage.ask(bob) == stage.ask(carol) == []
    requester = stage.download.requester
    assert list(requester.idle.values()) == [alice, bob, carol]
    carol.snubbed = True
    requester.feed_idle(stage.now)
    assert bob.outstanding == 0
    stage.gone(alice)
    requester.feed_idle(stage.now)
    assert (bob.outstanding, carol.outstanding) == (4, 0)
    stage.check_invariant()


# Fast extension.


def test_who_chokes_us_is_asked_for_what_it_allows():
    stage = DownloadStage(4, 2)
    peer = stage.peer("*** ")
    peer.peer_choking = True
    assert stage.ask(peer) == []
    peer.allowed_fast = pieces(" * *")
    assert stage.ask(peer) == [(1, 0), (1, 1)]
    assert stage.ask(peer) == []
    # What others began already, too.
    other = stage.peer(depth=1)
    [(piece, _)] = stage.ask(other)
    peer.allowed_fast |= 1 << (3 - piece)
    assert {index for index, _ in stage.ask(peer)} == ({piece} if piece < 3 else set())


def test_who_chokes_us_is_asked_for_no_duplicates():
    stage = DownloadStage(1, 2)
    stage.ask(stage.peer())
    stage.now += 10.0
    choking = stage.peer()
    choking.peer_choking = True
    choking.allowed_fast = pieces("*")
    assert stage.ask(choking) == []


def test_what_was_allowed_and_then_refused_is_not_asked_for_again():
    stage = DownloadStage(4, 2)
    peer = stage.peer()
    peer.peer_choking = True
    peer.allowed_fast = pieces(" *  ")
    stage.ask(peer)
    for block in range(2):
        stage.download.rejected(peer, 1, block * B)
    stage.now += 10.0
    assert stage.ask(peer) == []
    stage.check_invariant()


def test_what_a_peer_suggests_comes_first():
    stage = DownloadStage(200, 2)
    peer = stage.peer(depth=8)
    peer.suggested = dict.fromkeys([7, 100, 199])
    begun = list(dict.fromkeys(piece for piece, _ in stage.ask(peer)))
    assert set(begun[:3]) == {7, 100, 199}
    assert len(begun) == 4


def test_a_suggestion_does_not_disturb_the_order():
    stage = DownloadStage(8, 2)
    stage.need.sequential = True
    peer = stage.peer(depth=4)
    peer.suggested = {5: None}
    assert [piece for piece, _ in stage.ask(peer)] == [0, 0, 1, 1]


def test_a_suggestion_does_not_make_a_piece_more_wanted():
    stage = DownloadStage(200, 2)
    classes = (pieces(" " * 100 + "*" * 100), pieces("*" * 100 + " " * 100))
    stage.prefer(PiecePriorities(pieces("*" * 200), classes))
    peer = stage.peer(depth=8)
    peer.suggested = dict.fromkeys([7, 100])
    begun = list(dict.fromkeys(piece for piece, _ in stage.ask(peer)))
    assert begun[0] == 100
    assert min(begun) == 100
    assert len(begun) == 4


# Priorities.


@pytest.mark.parametrize("sequential", [False, True])
def test_what_is_wanted_most_is_asked_for_first_of_those_who_have_it(sequential):
    stage = DownloadStage(6, 2)
    stage.need.sequential = sequential
    stage.prefer(PiecePriorities(pieces("***** "), (pieces("   ** "), pieces("***   "))))
    alice, bob = stage.peer(depth=6), stage.peer("**   *", depth=99)
    begun = [piece for piece, _ in stage.ask(alice)]
    assert set(begun[:4]) == {3, 4}
    assert begun[4] in {0, 1, 2}
    assert {piece for piece, _ in stage.ask(bob)} == {0, 1} - set(begun)


def test_what_is_wanted_most_from_now_on_comes_after_what_is_begun():
    stage = DownloadStage(4, 4)
    stage.need.sequential = True
    peer = stage.peer(depth=2)
    assert stage.ask(peer) == [(0, 0), (0, 1)]
    stage.prefer(PiecePriorities(pieces("****"), (pieces("   *"), pieces("*** "))))
    peer.depth.depth = 6
    assert stage.ask(peer) == [(0, 2), (0, 3), (3, 0), (3, 1)]


# Web seeds.


def test_a_web_seed_is_asked_for_pieces_that_follow_each_other():
    stage = DownloadStage(40, 2)
    server = stage.peer(depth=8)
    server.run_at = 17
    first = [(piece, block) for piece in range(17, 21) for block in range(2)]
    assert stage.ask(server) == first
    stage.deliver(server, *first)
    assert stage.ask(server)[:8] == [(piece + 4, block) for piece, block in first]
    stage.check_invariant()
