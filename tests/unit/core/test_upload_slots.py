from __future__ import annotations

from dataclasses import dataclass

from millstream.core.upload_slots import TURN, choose_slots


@dataclass(eq=False)
class Somebody:
    name: str
    am_choking: bool
    peer_interested: bool
    choke_changed_at: float = 0.0


def waits(name: str, since: float = 0.0) -> Somebody:
    return Somebody(name, am_choking=True, peer_interested=True, choke_changed_at=since)


def served(name: str, since: float = 0.0) -> Somebody:
    return Somebody(name, am_choking=False, peer_interested=True, choke_changed_at=since)


def chosen(*peers: Somebody, slots: int = 2, now: float = 0.0) -> tuple[str, str]:
    """The names of who is unchoked, and of who is choked."""
    unchoke, choke = choose_slots(peers, slots, now)
    return "".join(peer.name for peer in unchoke), "".join(peer.name for peer in choke)


def test_everyone_who_asks_is_served_while_there_are_slots():
    assert chosen(waits("a"), waits("b")) == ("ab", "")
    assert chosen(served("a"), waits("b")) == ("b", "")


def test_who_does_not_ask_is_not_served():
    stranger = Somebody("a", am_choking=True, peer_interested=False)
    assert chosen(stranger) == ("", "")


def test_who_no_longer_asks_makes_room_at_once():
    satisfied = Somebody("a", am_choking=False, peer_interested=False)
    assert chosen(satisfied, waits("b"), slots=1) == ("b", "a")


def test_nobody_is_choked_before_the_end_of_the_turn():
    assert chosen(served("a", 10), waits("b"), slots=1, now=10 + TURN - 1) == ("", "")


def test_after_its_turn_a_peer_makes_room_for_one_that_waits():
    assert chosen(served("a", 10), waits("b"), slots=1, now=10 + TURN) == ("b", "a")


def test_nobody_makes_room_for_nobody():
    assert chosen(served("a"), served("b"), now=100 * TURN) == ("", "")


def test_who_was_served_longest_goes_and_who_waited_longest_comes():
    peers = [served("a", 5), served("b", 3), waits("c", 4), waits("d", 2)]
    assert chosen(*peers, now=4 + TURN) == ("d", "b")
    assert chosen(*peers, now=5 + TURN) == ("dc", "ba")


def test_without_slots_nobody_is_served():
    assert chosen(waits("a"), slots=0) == ("", "")


def test_everybody_has_a_turn():
    peers = [waits(name) for name in "abcde"]
    had = []
    for now in range(0, 6 * int(TURN), int(TURN)):
        unchoke, choke = choose_slots(peers, 1, now)
        for peer in (*unchoke, *choke):
            peer.am_choking = not peer.am_choking
            peer.choke_changed_at = now
        assert sum(not peer.am_choking for peer in peers) == 1
        had += [peer.name for peer in unchoke]
    assert had == list("abcdea")
