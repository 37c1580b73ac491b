from __future__ import annotations

from fakes import make_geometry, make_peer, pieces

from millstream.core.haves import ALWAYS_TOLD, MAX_TOLD_PER_SECOND, MAX_WITHDRAWN, Haves
from millstream.protocol.bitfield import every_piece

GEOMETRY = make_geometry(4)


def make(*has: str):
    made = [make_peer(number + 1, GEOMETRY) for number in range(len(has))]
    for (peer, _), held in zip(made, has, strict=True):
        peer.pieces = pieces(held)
    return [peer for peer, _ in made], [link for _, link in made]


def test_all_but_seeds_hear_of_every_piece():
    peers, links = make("    ", " *  ", " * *", "****")
    haves = Haves()
    haves.add(3)
    haves.add(1)
    haves.tell(peers, 0.0)
    assert [link.read() for link in links] == [[("have", 3), ("have", 1)]] * 3 + [[]]
    assert links[0].sends == 1
    haves.tell(peers, 99.0)
    assert links[0].sends == 1


def test_the_more_listen_the_longer_news_are_collected():
    peers, links = make(*["    "] * 20)
    haves = Haves()
    haves.add(0)
    haves.tell(peers, 0.0)
    haves.add(1)
    haves.tell(peers, 19 / MAX_TOLD_PER_SECOND)
    assert links[0].read() == [("have", 0)]
    haves.add(2)
    haves.tell(peers, 20 / MAX_TOLD_PER_SECOND)
    assert links[0].read() == [("have", 1), ("have", 2)]


def test_a_few_hear_at_once():
    peers, links = make(*["    "] * ALWAYS_TOLD)
    haves = Haves()
    for piece in range(3):
        haves.add(piece)
        haves.tell(peers, 0.0)
    assert links[0].read() == [("have", 0), ("have", 1), ("have", 2)]


class Extensions:
    """The side of a peer that takes messages of these extensions."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.sent: list[tuple[str, bytes]] = []

    def receive(self, identity: int, payload: memoryview, now: float) -> None:
        raise AssertionError

    def supports(self, name: str) -> bool:
        return name in self.names

    def send(self, name: str, *payloads: bytes) -> None:
        self.sent += [(name, payload) for payload in payloads]


def test_what_was_lost_is_taken_back_where_that_is_understood():
    peers, links = make("    ", "****", " *  ", " ** ", "    ")
    for peer in peers[:2]:
        peer.extensions = Extensions("lt_donthave")
    peers[4].extensions = Extensions("ut_pex")
    Haves().withdraw(pieces(" ** "), 4, peers)
    told = [("lt_donthave", bytes([0, 0, 0, piece])) for piece in (1, 2)]
    assert [peer.extensions.sent for peer in peers[:2]] == [told, told]
    # Whoever has it all does not ask for it.
    assert [link.closed is not None for link in links] == [False, False, True, False, True]


def test_of_a_great_loss_nobody_hears_piece_by_piece():
    count = MAX_WITHDRAWN + 1
    geometry = make_geometry(count)
    peer, link = make_peer(1, geometry)
    peer.extensions = Extensions("lt_donthave")
    Haves().withdraw(every_piece(count) >> 1, count, [peer])
    assert len(peer.extensions.sent) == MAX_WITHDRAWN
    assert link.closed is None
    Haves().withdraw(every_piece(count), count, [peer])
    assert len(peer.extensions.sent) == MAX_WITHDRAWN
    assert link.closed is not None


def test_what_was_lost_before_it_was_told_is_not_told():
    peers, links = make("    ")
    peers[0].extensions = Extensions("lt_donthave")
    haves = Haves()
    for piece in range(3):
        haves.add(piece)
    haves.withdraw(pieces(" *  "), 4, peers)
    haves.tell(peers, 0.0)
    assert links[0].read() == [("have", 0), ("have", 2)]
