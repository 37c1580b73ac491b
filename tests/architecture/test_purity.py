"""`protocol`, `core` and `tracker` know no platform: no clock, no randomness, no tasks, no I/O.

Time comes in as `now`, randomness as a `random.Random`. So a whole swarm runs in a test in virtual
time, and the same code runs on CPython, behind a daemon, or in a browser. (The import contracts in
pyproject.toml say the same of modules; this looks at what is done with them.)
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "millstream"

# The pure packages, and which parts of Millstream each may import.
MAY_IMPORT = {
    "protocol": {"millstream.errors", "millstream.protocol"},
    "core": {
        *("millstream.errors", "millstream.config_ranges"),
        *("millstream.protocol", "millstream.core"),
    },
    "tracker": {
        *("millstream.errors", "millstream.config_ranges"),
        *("millstream.protocol", "millstream.tracker"),
    },
    "io_wire": {"millstream.errors", "millstream.interfaces.disk", "millstream.io_wire"},
    # Not a package: the one module beside them that they share.
    "config_ranges.py": {"millstream.errors"},
}
# All others: they do I/O, wait, draw, or only say how that is asked for.
IMPURE = {
    *("adapters", "cli", "engine", "interfaces", "presets", "settings", "storage", "testing"),
    *("http_server", "io_daemon", "logging", "native_host", "rpc", "sandbox", "service"),
    *("tracker_service",),
}
PURE = sorted(
    path.relative_to(SOURCE).as_posix()
    for name in MAY_IMPORT
    for path in ([SOURCE / name] if name.endswith(".py") else (SOURCE / name).glob("*.py"))
)
# Text in, text out, though its package goes to the network.
ALLOWED_MODULES = {"urllib.parse"}
# Modules of the standard library that bring in the outside world.
FORBIDDEN_MODULES = {
    *("asyncio", "concurrent", "multiprocessing", "queue", "sched", "signal", "threading"),
    *("datetime", "secrets", "time", "uuid"),
    *("fcntl", "glob", "io", "mmap", "os", "pathlib", "shutil", "stat", "subprocess", "tempfile"),
    *("http", "select", "selectors", "socket", "socketserver", "ssl", "urllib"),
    *("atexit", "builtins", "ctypes", "gc", "importlib", "inspect", "logging", "warnings"),
}
FORBIDDEN_CALLS = {"__import__", "breakpoint", "eval", "exec", "input", "open", "print"}
# Of `random` only the class may be named, and only to say what is passed in.
ALLOWED_OF_RANDOM = {"Random"}


def faults(source: str, package: str) -> list[str]:
    """What in the source a pure module may not do, with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        complaints: list[str] = []
        match node:
            case ast.Import(names=names):
                complaints = [_judge(name.name, package) for name in names]
            case ast.ImportFrom(module=module, level=level, names=names):
                complaints = ["relative import"] if level else [_judge(str(module), package)]
                if module == "random":
                    complaints += [
                        f"random.{name.name}"
                        for name in names
                        if name.name not in ALLOWED_OF_RANDOM
                    ]
            case ast.Attribute(value=ast.Name(id="random"), attr=name):
                complaints = [] if name in ALLOWED_OF_RANDOM else [f"random.{name}"]
            case ast.Call(func=ast.Attribute(value=ast.Name(id="random"))):
                complaints = ["makes its own randomness"]
            case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
                complaints = [f"{name}()"]
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                complaints = ["async"]
            case ast.Global():
                complaints = ["global state"]
        found += [f"line {node.lineno}: {text}" for text in complaints if text]  # type: ignore[attr-defined]
    return found


def _judge(module: str, package: str) -> str:
    top = module.partition(".")[0]
    if top == "millstream":
        allowed = any(f"{module}.".startswith(f"{part}.") for part in MAY_IMPORT[package])
        return "" if allowed else f"imports {module}"
    if module in ALLOWED_MODULES:
        return ""
    if top not in sys.stdlib_module_names or top in FORBIDDEN_MODULES:
        return f"imports {module}"
    return ""


@pytest.mark.parametrize("path", PURE)
def test_it_touches_no_platform(path):
    source = (SOURCE / path).read_text(encoding="utf-8")
    assert faults(source, path.partition("/")[0]) == []


def test_every_package_is_pure_or_not():
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    pure = {name for name in MAY_IMPORT if not name.endswith(".py")}
    assert packages == pure | IMPURE


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import asyncio.events",
        "from os import path",
        "import urllib.request",
        "from urllib import request",
        "import numpy",
        "from millstream.engine import tick",
        "from millstream import core",
        "from . import peer",
        "import random\nrandom.random()",
        "import random\nrng = random.Random()",
        "from random import choice",
        "open('x')",
        "print(1)",
        "async def f(): pass",
    ],
)
def test_the_check_finds_what_it_looks_for(source):
    assert faults(source, "core")


@pytest.mark.parametrize(
    "source",
    [
        "import random\ndef f(rng: random.Random) -> int: return rng.randrange(6)",
        "from millstream.protocol import messages",
        "import hashlib, struct",
        "from urllib.parse import urlsplit",
    ],
)
def test_the_check_leaves_the_innocent_alone(source):
    assert faults(source, "core") == []
