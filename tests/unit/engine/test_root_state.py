import pytest

from millstream.adapters.memory import MemoryFileSystem
from millstream.engine.root_state import (
    MAX_FILES_LOOKED_FOR,
    RootState,
    judge,
    look_for_files,
)
from millstream.testing import in_virtual_time

PRESENT, ABSENT, CHANGED = RootState.PRESENT, RootState.ABSENT, RootState.CHANGED


@pytest.mark.parametrize(
    ("identity", "remembered", "has_files", "seen", "state"),
    [
        # Nothing there: fine only where nothing ever was.
        (None, None, None, False, PRESENT),
        (None, None, False, False, ABSENT),
        (None, "1:1", None, False, ABSENT),
        (None, "1:1", False, True, ABSENT),
        # The same directory, whatever is in it: files that are gone are another matter.
        ("1:1", "1:1", None, True, PRESENT),
        ("1:1", "1:1", False, False, PRESENT),
        # Another one: its files prove it.
        ("2:2", "1:1", True, True, PRESENT),
        ("2:2", "1:1", True, False, PRESENT),
        ("2:2", "1:1", False, True, CHANGED),
        ("2:2", "1:1", False, False, CHANGED),
        # Without files to prove it, it changes from boot to boot, and not between.
        ("2:2", "1:1", None, False, PRESENT),
        ("2:2", "1:1", None, True, CHANGED),
        # Never seen by any run, or said to be elsewhere now.
        ("2:2", None, None, True, PRESENT),
        ("2:2", None, None, False, PRESENT),
        ("2:2", None, True, False, PRESENT),
        ("2:2", None, False, False, CHANGED),
    ],
)
def test_what_becomes_of_a_root(identity, remembered, has_files, seen, state):
    assert judge(identity, remembered, has_files, seen=seen) is state


@in_virtual_time
class TestLookingForFiles:
    async def test_one_file_is_enough(self):
        files = MemoryFileSystem()
        files.write_file("/r", "t/b", b"")
        assert await look_for_files(files, "/r", ["t/a", "t/b"]) is True
        assert await look_for_files(files, "/r", ["t/a"]) is False
        assert await look_for_files(files, "/elsewhere", ["t/b"]) is False
        assert await look_for_files(files, "/r", []) is None

    async def test_it_looks_for_so_many_and_asks_for_no_more(self):
        files, asked = MemoryFileSystem(), []

        def paths():
            for number in range(10_000):
                asked.append(number)
                yield str(number)

        assert await look_for_files(files, "/r", paths()) is False
        assert len(asked) == MAX_FILES_LOOKED_FOR
