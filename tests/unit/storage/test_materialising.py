from __future__ import annotations

import pytest

from millstream.adapters.memory import MemoryFileSystem
from millstream.errors import StorageError
from millstream.storage.materialising import materialise, retire_parts
from millstream.storage.placement import Placement
from millstream.testing import run_virtual
from millstream.testing.content import layout_of
from millstream.testing.failing_files import FailingFiles

ROOT, PARTS = "/root", ".0123.parts"
FILES = [("d/a", 4), ("d/b", 33), ("d/c", 8), ("d/e", 30)]
CONTENT = bytes(range(1, 76))


def scene():
    """Files a and c are wanted and there; b and e are skipped."""
    placement = Placement(layout_of(*FILES), ROOT, PARTS)
    placement.put_in_parts([1, 3])
    files = MemoryFileSystem()
    for piece in (0, 3, 4):
        position = piece * 10
        for path, offset, length in placement.piece_extents(piece):
            files.write_at(ROOT, path, offset, CONTENT[position : position + length])
            position += length
    return placement, files


def test_a_file_gets_what_the_parts_file_has():
    placement, files = scene()

    async def story():
        await materialise(files, placement, [0, 1])
        b = CONTENT[4:10] + bytes(20) + CONTENT[30:37]
        assert files.read_file(ROOT, "d/b") == b
        assert await files.stat(ROOT, "d/e") is None
        placement.take_out_of_parts([1])
        await materialise(files, placement, [0, 1])
        await retire_parts(files, placement)
        assert files.read_file(ROOT, PARTS) is not None
        await materialise(files, placement, [3])
        assert files.read_file(ROOT, "d/e") == CONTENT[45:50] + bytes(25)
        placement.take_out_of_parts([3])
        for _ in range(2):
            await retire_parts(files, placement)
            assert await files.list(ROOT, "") == ["d"]

    run_virtual(story())


def test_only_verified_pieces_are_taken():
    placement, files = scene()
    run_virtual(materialise(files, placement, [1], has=lambda piece: piece == 3))
    assert files.read_file(ROOT, "d/b") == bytes(26) + CONTENT[30:37]


def test_a_file_is_made_under_its_present_name():
    placement, files = scene()
    placement.rename(1, "d/new/name")
    placement.add_suffix([1], ".part")
    run_virtual(materialise(files, placement, [1]))
    assert run_virtual(files.list(ROOT, "d/new")) == ["name.part"]


def test_a_failure_leaves_the_parts_file():
    placement, files = scene()
    parts = files.read_file(ROOT, PARTS)

    async def story():
        for moment in range(2):
            with pytest.raises(StorageError):
                await materialise(FailingFiles(files, moment), placement, [1, 3])
        assert files.read_file(ROOT, PARTS) == parts
        await materialise(files, placement, [1, 3])
        assert files.read_file(ROOT, "d/e") == CONTENT[45:50] + bytes(25)

    run_virtual(story())


def test_without_a_parts_file():
    placement, files = scene()

    async def story():
        await files.delete(ROOT, PARTS)
        await materialise(files, placement, [1])
        assert files.read_file(ROOT, "d/b") == bytes(33)

    run_virtual(story())
