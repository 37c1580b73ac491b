from __future__ import annotations

from fakes import make_geometry, make_peer, pieces

from millstream.core.suggestions import INTERVAL, Suggestions

GEOMETRY = make_geometry(4)


def served(number, has="    ", *, fast=True):
    peer, link = make_peer(number, GEOMETRY, fast=fast)
    peer.pieces = pieces(has)
    peer.peer_interested = True
    peer.am_choking = False
    return peer, link


def stage(*peers):
    return Suggestions({peer.id: peer for peer, _ in peers})


def test_those_who_lack_it_are_told_but_for_whom_it_was_read():
    reader, lacking, having = served(1), served(2), served(3, " *  ")
    stage(reader, lacking, having).piece_read(reader[0], 1, 5.0)
    assert lacking[1].read() == [("suggest_piece", 1)]
    assert reader[1].read() == having[1].read() == []


def test_nobody_else_is_told():
    reader, plain, choked, content = served(1), served(2, fast=False), served(3), served(4)
    choked[0].am_choking = True
    content[0].peer_interested = False
    stage(reader, plain, choked, content).piece_read(reader[0], 1, 5.0)
    assert plain[1].read() == choked[1].read() == content[1].read() == []


def test_once_a_second_and_never_the_same_twice_in_a_row():
    reader, lacking = served(1), served(2)
    suggestions = stage(reader, lacking)
    suggestions.piece_read(reader[0], 1, 5.0)
    suggestions.piece_read(reader[0], 2, 5.0)
    suggestions.piece_read(reader[0], 1, 5.0 + INTERVAL)
    suggestions.piece_read(reader[0], 2, 5.0 + INTERVAL)
    assert lacking[1].read() == [("suggest_piece", 1), ("suggest_piece", 2)]
