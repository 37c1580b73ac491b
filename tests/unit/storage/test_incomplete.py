from __future__ import annotations

from millstream.adapters.memory import MemoryFileSystem
from millstream.storage.incomplete import settle
from millstream.storage.placement import Placement
from millstream.testing import run_virtual
from millstream.testing.content import layout_of

ROOT = "/root"


def test_what_is_on_the_disk_decides():
    names = ["with", "without", "both", "neither", "directory", "parts", "never"]
    placement = Placement(layout_of(*[(f"d/{name}", 5) for name in names]), ROOT, ".0.parts")
    placement.put_in_parts([5])
    files = MemoryFileSystem()

    async def story():
        assert await settle(files, placement) == set()
        placement.add_suffix(range(6), ".part")
        for path in ("with.part", "without", "both", "both.part", "directory/x", "parts", "never"):
            files.write_file(ROOT, f"d/{path}", b"x")
        assert await settle(files, placement) == {1}
        assert placement.suffixed == {0, 2, 3, 4, 5}
        assert placement.path(1) == "d/without"
        assert await settle(files, placement) == set()

    run_virtual(story())
