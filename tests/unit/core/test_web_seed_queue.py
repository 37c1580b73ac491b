from __future__ import annotations

import pytest
from fakes import make_geometry

from millstream.core.web_seed_queue import WebSeedQueue
from millstream.protocol import messages
from millstream.protocol.messages import BLOCK_LENGTH

PIECE = 2 * BLOCK_LENGTH


class Stage:
    def __init__(self, *, last_length=None):
        self.dropped = []
        self.delivered = []
        self.unwanted = set()
        geometry = make_geometry(4, 2, last_length)
        self.queue = WebSeedQueue(
            geometry,
            lambda index, begin: (index, begin) not in self.unwanted,
            lambda *request: self.dropped.append(request),
        )

    def ask(self, piece, first=0, count=2, length=PIECE):
        self.queue.send(messages.requests(piece, length, first, count))

    def cancel(self, piece, begin):
        self.queue.send(messages.cancel(piece, begin, BLOCK_LENGTH))

    def next_run(self, **options):
        """A run and where it lies."""
        run = self.queue.next_run(**options)
        return run, (run.offset, run.length)

    def place_of_next(self, **options):
        return self.next_run(**options)[1]

    def receive(self, run, data):
        def deliver(index, begin, block):
            self.delivered.append((index, begin, bytes(block)))

        run.data_received(memoryview(data), deliver)


def test_requests_that_follow_each_other_are_one_run():
    stage = Stage()
    stage.ask(1)
    stage.ask(2)
    stage.ask(0)
    assert len(stage.queue) == 6
    assert stage.place_of_next() == (PIECE, 2 * PIECE)
    assert stage.place_of_next() == (0, PIECE)
    assert stage.queue.next_run() is None
    assert not stage.queue


def test_a_run_is_no_longer_than_wanted_but_one_block_at_least():
    stage = Stage()
    stage.ask(0)
    assert stage.place_of_next(most=1) == (0, BLOCK_LENGTH)
    assert stage.place_of_next(most=PIECE) == (BLOCK_LENGTH, BLOCK_LENGTH)


@pytest.mark.parametrize("step", [1000, BLOCK_LENGTH, 20000, 3 * PIECE])
def test_blocks_come_out_of_bytes_in_any_split(step):
    stage = Stage(last_length=100)
    stage.ask(2)
    stage.ask(3, count=1, length=100)
    data = bytes(range(256)) * (PIECE // 256) + b"z" * 100
    run, place = stage.next_run()
    assert place == (2 * PIECE, PIECE + 100)
    for at in range(0, len(data), step):
        stage.receive(run, data[at : at + step])
    assert stage.delivered == [
        (2, 0, data[:BLOCK_LENGTH]),
        (2, BLOCK_LENGTH, data[BLOCK_LENGTH:PIECE]),
        (3, 0, b"z" * 100),
    ]
    assert not run.left


def test_runs_are_fetched_side_by_side():
    stage = Stage()
    stage.ask(0, count=1)
    stage.ask(2, count=1)
    (first, _), (second, _) = stage.next_run(), stage.next_run()
    stage.receive(first, b"a" * 100)
    stage.receive(second, b"b" * BLOCK_LENGTH)
    stage.receive(first, b"a" * (BLOCK_LENGTH - 100))
    assert stage.delivered == [(2, 0, b"b" * BLOCK_LENGTH), (0, 0, b"a" * BLOCK_LENGTH)]


def test_bytes_beyond_the_run_are_ignored():
    stage = Stage()
    stage.ask(0, count=1)
    run, _ = stage.next_run()
    stage.receive(run, bytes(BLOCK_LENGTH + 5))
    assert len(stage.delivered) == 1


def test_what_is_cancelled_while_it_waits_is_dropped():
    stage = Stage()
    stage.ask(0)
    stage.cancel(0, 0)
    assert stage.dropped == [(0, 0, BLOCK_LENGTH)]
    assert stage.place_of_next() == (BLOCK_LENGTH, BLOCK_LENGTH)


def test_what_is_being_fetched_comes_though_it_is_cancelled():
    stage = Stage()
    stage.ask(0, count=1)
    run, _ = stage.next_run()
    stage.cancel(0, 0)
    stage.receive(run, bytes(BLOCK_LENGTH))
    assert stage.dropped == []
    assert len(stage.delivered) == 1


def test_what_is_being_fetched_is_not_fetched_twice():
    stage = Stage()
    stage.ask(0)
    run, _ = stage.next_run()
    stage.receive(run, bytes(BLOCK_LENGTH))
    stage.ask(0)
    assert stage.place_of_next() == (0, BLOCK_LENGTH)
    assert stage.queue.next_run() is None


def test_what_waits_and_is_not_wanted_any_more_is_dropped():
    stage = Stage()
    stage.ask(0)
    stage.ask(1)
    stage.unwanted = {(0, 0), (1, 0)}
    assert stage.place_of_next() == (BLOCK_LENGTH, BLOCK_LENGTH)
    assert stage.place_of_next() == (PIECE + BLOCK_LENGTH, BLOCK_LENGTH)
    assert stage.dropped == [(0, 0, BLOCK_LENGTH), (1, 0, BLOCK_LENGTH)]


def test_a_run_is_of_use_while_something_it_lacks_is_wanted():
    stage = Stage()
    stage.ask(0)
    run, _ = stage.next_run()
    stage.unwanted = {(0, BLOCK_LENGTH)}
    assert not stage.queue.is_useless(run)
    stage.receive(run, bytes(BLOCK_LENGTH))
    assert stage.queue.is_useless(run)


def test_what_a_run_lacked_comes_first_in_the_next():
    stage = Stage()
    stage.ask(1)
    stage.ask(3)
    run, _ = stage.next_run()
    stage.receive(run, bytes(BLOCK_LENGTH + 100))
    stage.queue.end(run)
    again, place = stage.next_run()
    assert place == (PIECE + BLOCK_LENGTH, BLOCK_LENGTH)
    # What came of a block is forgotten: the next run begins with a whole one.
    stage.receive(again, b"x" * BLOCK_LENGTH)
    assert stage.delivered[1:] == [(1, BLOCK_LENGTH, b"x" * BLOCK_LENGTH)]
    stage.queue.end(again)
    assert stage.place_of_next() == (3 * PIECE, PIECE)


def test_other_messages_mean_nothing():
    stage = Stage()
    stage.queue.send(messages.HAVE_ALL + messages.INTERESTED + messages.haves([1]))
    assert not stage.queue
