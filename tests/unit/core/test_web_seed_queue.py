from __future__ import annotations

import pytest
from fakes import make_geometry

from millstream.core.web_seed_queue import Fetch, WebSeedQueue
from millstream.protocol import messages
from millstream.protocol.messages import BLOCK_LENGTH

PIECE = 2 * BLOCK_LENGTH


class Stage:
    def __init__(self, *, last_length=None):
        self.dropped = []
        self.delivered = []
        geometry = make_geometry(4, 2, last_length)
        self.queue = WebSeedQueue(geometry, lambda *request: self.dropped.append(request))

    def ask(self, piece, first=0, count=2, length=PIECE):
        self.queue.send(messages.requests(piece, length, first, count))

    def receive(self, data):
        def deliver(index, begin, block):
            self.delivered.append((index, begin, bytes(block)))

        self.queue.data_received(memoryview(data), deliver)


def test_requests_that_follow_each_other_are_one_run():
    stage = Stage()
    stage.ask(1)
    stage.ask(2)
    stage.ask(0)
    assert stage.queue.next_fetch() == Fetch(PIECE, 2 * PIECE)
    assert stage.queue.next_fetch() == Fetch(0, PIECE)
    assert stage.queue.next_fetch() is None
    assert not stage.queue


def test_a_run_is_no_longer_than_wanted_but_one_block_at_least():
    stage = Stage()
    stage.ask(0)
    assert stage.queue.next_fetch(most=1) == Fetch(0, BLOCK_LENGTH)
    assert stage.queue.next_fetch(most=PIECE) == Fetch(BLOCK_LENGTH, BLOCK_LENGTH)


@pytest.mark.parametrize("step", [1000, BLOCK_LENGTH, 20000, 3 * PIECE])
def test_blocks_come_out_of_bytes_in_any_split(step):
    stage = Stage(last_length=100)
    stage.ask(2)
    stage.ask(3, count=1, length=100)
    data = bytes(range(256)) * (PIECE // 256) + b"z" * 100
    assert stage.queue.next_fetch() == Fetch(2 * PIECE, PIECE + 100)
    for at in range(0, len(data), step):
        stage.receive(data[at : at + step])
    assert stage.delivered == [
        (2, 0, data[:BLOCK_LENGTH]),
        (2, BLOCK_LENGTH, data[BLOCK_LENGTH:PIECE]),
        (3, 0, b"z" * 100),
    ]
    assert stage.queue.is_run_over


def test_bytes_beyond_the_run_are_ignored():
    stage = Stage()
    stage.ask(0, count=1)
    stage.queue.next_fetch()
    stage.receive(bytes(BLOCK_LENGTH + 5))
    assert len(stage.delivered) == 1


def test_what_is_cancelled_while_it_waits_is_dropped():
    stage = Stage()
    stage.ask(0)
    stage.queue.send(messages.cancel(0, 0, BLOCK_LENGTH))
    assert stage.dropped == [(0, 0, BLOCK_LENGTH)]
    assert stage.queue.next_fetch() == Fetch(BLOCK_LENGTH, BLOCK_LENGTH)


def test_what_is_being_fetched_comes_though_it_is_cancelled():
    stage = Stage()
    stage.ask(0, count=1)
    stage.queue.next_fetch()
    stage.queue.send(messages.cancel(0, 0, BLOCK_LENGTH))
    stage.receive(bytes(BLOCK_LENGTH))
    assert stage.dropped == []
    assert len(stage.delivered) == 1


def test_other_messages_mean_nothing():
    stage = Stage()
    stage.queue.send(messages.HAVE_ALL + messages.INTERESTED + messages.haves([1]))
    assert not stage.queue
