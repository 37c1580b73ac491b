from __future__ import annotations

from fakes import make_geometry, make_peer, pieces

from millstream.core.haves import ALWAYS_TOLD, MAX_TOLD_PER_SECOND, Haves

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
