"""Each module has its test module, found by its path: `core/peer.py`, `unit/core/test_peer.py`."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "millstream"
UNIT = ROOT / "tests" / "unit"

# Patterns of modules without a test module of their own, and who tests them instead.
EXCEPTIONS = {
    "__main__": "one line: it hands over to the command line",
    "events": "names of engine/events for users; test_exports compares them",
    "errors": "a tree of names; whoever raises them tests them",
    "interfaces/*": "Protocols and plain values; tests/conformance tests who implements them",
    "adapters/native/*": "real sockets and files: tests/conformance and tests/integration",
    "presets/*": "wiring: tests/integration and tests/sim build their engines with it",
    "engine/*": "the asyncio shell is tested whole: tests/sim and tests/integration",
    "testing/conformance_*": "these are tests: tests/conformance runs them",
    "testing/content": "what the simulated swarms are made of: tests/sim",
    "testing/swarm": "what the simulated swarms are made of: tests/sim",
}

MODULES = sorted(
    path.relative_to(SOURCE).with_suffix("").as_posix()
    for path in SOURCE.rglob("*.py")
    if path.name != "__init__.py"
)


def has_tests(module: str) -> bool:
    path = Path(module)
    return (UNIT / path.parent / f"test_{path.name}.py").is_file()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_its_test_module(module):
    excused = any(fnmatch(module, pattern) for pattern in EXCEPTIONS)
    assert has_tests(module) or excused, f"tests/unit/{module} is missing its test module"


@pytest.mark.parametrize("pattern", EXCEPTIONS)
def test_an_exception_is_needed(pattern):
    matches = [module for module in MODULES if fnmatch(module, pattern)]
    assert [module for module in matches if not has_tests(module)], f"{pattern} excuses nothing"


@pytest.mark.parametrize(
    "path", sorted(path.relative_to(UNIT).as_posix() for path in UNIT.rglob("test_*.py"))
)
def test_a_test_module_has_its_module(path):
    test = Path(path)
    assert (test.parent / test.stem.removeprefix("test_")).as_posix() in MODULES
