"""Modules stay small enough to read, and are named for what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "millstream"
MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))

# A module that grows past this has a decision hiding in it that wants its own module.
MAX_LINES = 450
# Lists of tests, one paragraph each: they are looked things up in, not read.
LONGER = {
    "testing/conformance_disk.py": 700,
    "testing/conformance_network.py": 700,
}
# Names that say nothing about what is inside.
MEANINGLESS = {"utils", "util", "helpers", "helper", "common", "types", "misc", "manager", "base"}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_can_be_read(module):
    lines = len((SOURCE / module).read_text(encoding="utf-8").splitlines())
    assert lines <= LONGER.get(module, MAX_LINES)


def test_exceptions_exist():
    assert set(LONGER) <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_found_by_its_name(module):
    parts = module.removesuffix(".py").split("/")
    assert MEANINGLESS.isdisjoint(parts)
    # Depth is two; adapters are grouped by platform.
    assert len(parts) <= (3 if parts[0] == "adapters" else 2)
