"""The public face: what it lists is there, and static tools see the same as the interpreter."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import millstream
import millstream.logging
from millstream import events
from millstream.engine import engine_events
from millstream.engine import events as internal

PUBLIC = {
    "create_native_engine",
    "create_memory_engine",
    "create_daemon_engine",
    "create_torrent",
    "verify_torrent",
    "create_tracker",
    "scrape_tracker",
    "load_settings",
    "Engine",
    "Torrent",
    "TorrentState",
    "TorrentStatus",
    "PeerStatus",
    "TrackerState",
    "TrackerStatus",
    "WebSeedState",
    "WebSeedStatus",
    "ScrapeEntry",
    "VerifyReport",
    "RestoredSession",
    "TrackerService",
    "FilePriority",
    "StorageRoot",
    "StorageRootManager",
    "QueueMove",
    "Goals",
    "GoalAction",
    "INHERIT",
    "DaemonAddress",
    "EngineConfig",
    "NetworkConfig",
    "TransferConfig",
    "SwarmConfig",
    "EncryptionConfig",
    "Encryption",
    "PayloadEncryption",
    "LimitsConfig",
    "LimitSchedule",
    "TrackerConfig",
    "DiskConfig",
    "Allocation",
    "StorageConfig",
    "QueueConfig",
    "GoalsConfig",
    "TrackerServiceConfig",
    "RegistryConfig",
    "InfoHash",
    "Magnet",
    "Metainfo",
    "PeerAddress",
    "MillstreamError",
    "__version__",
}


def test_the_public_names_are_these():
    assert set(millstream.__all__) == PUBLIC
    assert len(millstream.__all__) == len(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name_is_there_and_documented(name):
    value = getattr(millstream, name)
    assert value is not None
    if name != "__version__":
        assert (value.__doc__ or "").strip()
    assert name in dir(millstream)


def names_for_static_tools(package):
    """What a package exports by `__getattr__`, as its `if TYPE_CHECKING:` has it, and from where."""
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    [checking] = [
        node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)
    ]
    seen = {}
    for node in checking.body:
        assert isinstance(node, ast.ImportFrom)
        for name in node.names:
            assert name.asname == name.name, "`X as X` says that it is exported"
            seen[name.name] = node.module
    return seen


def test_static_tools_see_the_same_names_at_the_same_places():
    seen = names_for_static_tools(millstream)
    assert seen == millstream._HOMES
    assert {*seen, "__version__"} == PUBLIC


def test_static_tools_see_the_same_listeners_to_the_log():
    seen = names_for_static_tools(millstream.logging)
    assert seen == millstream.logging._HOMES
    assert set(seen) < set(millstream.logging.__all__) <= set(dir(millstream.logging))


def test_every_event_is_public():
    assert {*get_args(internal.Event), *get_args(engine_events.EngineEvent)} == {
        value
        for name, value in vars(events).items()
        if isinstance(value, type) and name != "EventStream"
    }


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = millstream.no_such_name
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = millstream.logging.no_such_name


def test_asking_for_the_version_does_not_load_the_engine():
    program = (
        "import sys, millstream; millstream.__version__;"
        "print([name for name in sys.modules if name.startswith('millstream.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"
