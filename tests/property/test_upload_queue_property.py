from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from millstream.core.upload_queue import UploadQueue

# A small world, so that requests meet, repeat and are found again.
REQUESTS = st.tuples(
    st.integers(0, 1), st.integers(0, 6).map(lambda n: n * 4), st.sampled_from([4, 3, 2])
)


class UploadQueueMachine(RuleBasedStateMachine):
    """A plain list of requests knows what must be waiting."""

    @initialize()
    def begin(self) -> None:
        self.queue = UploadQueue()
        self.waiting: list[tuple[int, int, int]] = []

    @rule(request=REQUESTS)
    def add(self, request: tuple[int, int, int]) -> None:
        self.queue.add(*request)
        self.waiting.append(request)

    @rule(index=st.integers(0, 1), first=st.integers(0, 6), count=st.integers(1, 5))
    def add_several(self, index: int, first: int, count: int) -> None:
        for number in range(first, first + count):
            self.add((index, number * 4, 4))

    @rule(request=REQUESTS)
    def cancel(self, request: tuple[int, int, int]) -> None:
        found = self.queue.cancel(*request)
        assert found == (request in self.waiting)
        if found:
            self.waiting.remove(request)

    @rule(most=st.integers(0, 30))
    def take(self, most: int) -> None:
        run = self.queue.take(most)
        if run is None:
            assert not self.waiting
            return
        asked = [(run.index, begin, length) for begin, length in run.blocks()]
        # First come, first served; no request is cut, and only the first may be longer than `most`.
        assert self.waiting[: len(asked)] == asked
        assert sum(length for _, _, length in asked) == run.length
        assert run.length <= most or len(asked) == 1
        del self.waiting[: len(asked)]

    @rule()
    def clear(self) -> None:
        runs = self.queue.clear()
        asked = [(run.index, begin, length) for run in runs for begin, length in run.blocks()]
        assert asked == self.waiting
        self.waiting.clear()

    @invariant()
    def agrees(self) -> None:
        assert self.queue.requests == len(self.waiting)
        assert self.queue.bytes == sum(length for _, _, length in self.waiting)
        assert [
            (run.index, begin, length) for run in self.queue._runs for begin, length in run.blocks()
        ] == self.waiting


@pytest.mark.slow
class TestUploadQueue(UploadQueueMachine.TestCase):
    pass
