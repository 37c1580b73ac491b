from __future__ import annotations

import pytest

from millstream.core.upload_queue import Run, UploadQueue

B = 16384


def queue_of(*requests: tuple[int, int, int]) -> UploadQueue:
    queue = UploadQueue()
    for request in requests:
        queue.add(*request)
    return queue


def taken(queue: UploadQueue, most: int = 1 << 30) -> list[Run]:
    runs = []
    while (run := queue.take(most)) is not None:
        runs.append(run)
    assert (queue.requests, queue.bytes) == (0, 0)
    return runs


def test_consecutive_requests_become_one_run():
    queue = queue_of((0, 0, B), (0, B, B), (0, 2 * B, B))
    assert (queue.requests, queue.bytes) == (3, 3 * B)
    assert taken(queue) == [Run(0, 0, 3 * B, B)]


@pytest.mark.parametrize(
    "second",
    [(1, B, B), (0, 2 * B, B), (0, 0, B), (0, B, 100), (0, B, B // 2), (0, B - 1, B)],
    ids=["another piece", "a gap", "a repetition", "another length", "a half", "an overlap"],
)
def test_anything_else_becomes_another_run(second):
    index, begin, length = second
    assert taken(queue_of((0, 0, B), second)) == [
        Run(0, 0, B, B),
        Run(index, begin, begin + length, length),
    ]


def test_first_come_first_served():
    queue = queue_of((5, 0, B), (2, 0, B), (9, 0, B))
    assert [run.index for run in taken(queue)] == [5, 2, 9]


def test_the_length_of_what_is_next_is_known():
    assert UploadQueue().next_block_length == B
    queue = queue_of((0, 0, 100), (0, B, B))
    assert queue.next_block_length == 100
    queue.take(B)
    assert queue.next_block_length == B


def test_a_run_is_cut_to_whole_requests():
    queue = queue_of(*[(0, number * B, B) for number in range(5)])
    assert queue.take(2 * B + 100) == Run(0, 0, 2 * B, B)
    assert (queue.requests, queue.bytes) == (3, 3 * B)
    assert taken(queue, 2 * B) == [Run(0, 2 * B, 4 * B, B), Run(0, 4 * B, 5 * B, B)]


def test_at_least_one_request_is_taken():
    assert queue_of((0, 0, B), (0, B, B)).take(1) == Run(0, 0, B, B)
    assert UploadQueue().take(B) is None


def test_a_run_knows_its_requests():
    assert list(Run(3, B, 3 * B, B).blocks()) == [(B, B), (2 * B, B)]
    assert Run(3, B, 3 * B, B).length == 2 * B


@pytest.mark.parametrize(
    ("number", "left"),
    [
        (0, [Run(0, B, 3 * B, B)]),
        (1, [Run(0, 0, B, B), Run(0, 2 * B, 3 * B, B)]),
        (2, [Run(0, 0, 2 * B, B)]),
    ],
)
def test_a_request_is_cancelled_out_of_its_run(number, left):
    queue = queue_of(*[(0, block * B, B) for block in range(3)], (7, 0, B))
    assert queue.cancel(0, number * B, B)
    assert (queue.requests, queue.bytes) == (3, 3 * B)
    assert taken(queue) == [*left, Run(7, 0, B, B)]


def test_the_only_request_of_a_run_is_cancelled():
    queue = queue_of((0, 0, B), (1, 0, B))
    assert queue.cancel(0, 0, B)
    assert taken(queue) == [Run(1, 0, B, B)]


@pytest.mark.parametrize(
    "other", [(1, 0, B), (0, 2 * B, B), (0, 1, B), (0, 0, B - 1), (0, 0, 2 * B)]
)
def test_only_what_was_asked_for_is_cancelled(other):
    queue = queue_of((0, 0, B), (0, B, B))
    assert not queue.cancel(*other)
    assert queue.requests == 2


def test_a_repeated_request_is_cancelled_once():
    queue = queue_of((0, 0, B), (0, 0, B))
    assert queue.cancel(0, 0, B)
    assert taken(queue) == [Run(0, 0, B, B)]


def test_everything_is_cleared():
    queue = queue_of((0, 0, B), (0, B, B), (2, 0, 5))
    assert queue.clear() == [Run(0, 0, 2 * B, B), Run(2, 0, 5, 5)]
    assert (queue.requests, queue.bytes) == (0, 0)
    assert queue.take(B) is None
