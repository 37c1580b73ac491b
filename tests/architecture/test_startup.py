"""What a program imports before it does anything: every module is a part of the wait.

A plain download is one of a torrent file, without a session, in a program that hears no log. What it
does not need is imported where it is first made, with `# noqa: PLC0415` and the reason. These tests
name modules rather than measure time, so they fail on the commit that brings one in and never on a
busy machine.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys

import pytest

# Of others and of the standard library: each with what comes with it takes 1 to 60 ms.
HEAVY = {
    *("aiohttp", "cryptography", "pydantic", "rich", "typer"),
    *("argparse", "bz2", "datetime", "decimal", "email", "encodings.idna", "http", "json", "lzma"),
    *("logging.handlers", "multiprocessing", "pathlib", "pickle", "shutil", "sqlite3", "tempfile"),
    *("tomllib", "urllib.request", "uuid", "xml", "zipfile"),
}
# Of ours: what only some torrents, some programs or some users need.
NOT_FOR_EVERYBODY = {
    # A session.
    *("adapters.native.json_store", "adapters.native.sqlite_store", "engine.flushing"),
    *("engine.persistence", "engine.restored", "engine.resumption", "engine.saved_torrent"),
    *("engine.torrent_keeper", "storage.claims", "storage.resume", "storage.resume_peers"),
    # A magnet link.
    *("core.metadata_fetch", "core.metadata_assembly", "engine.magnet"),
    # Files that are skipped, moved or renamed.
    *("engine.arrangement", "engine.moving", "engine.rearranging", "storage.deletion"),
    *("storage.incomplete", "storage.materialising", "storage.relocation"),
    # Web seeds, and trackers that are asked by HTTP.
    *("adapters.native.http_session", "engine.web_seed", "engine.web_seeding"),
    # Whoever listens to the log, and asks why nothing moves.
    *("core.idleness", "engine.idle_facts", "logging.entry", "logging.human_formatter"),
    *("logging.json_formatter", "logging.ring_buffer"),
    # Other programs than a download.
    *("adapters.daemon", "adapters.memory", "cli", "engine.authoring", "engine.scraping"),
    *("http_server", "io_daemon", "native_host", "rpc", "sandbox", "service", "settings"),
    *("testing", "tracker.registry", "tracker_service"),
}

# What the interpreter, its site and asyncio bring along is not ours to choose.
START = """
import asyncio
import sys

brought_along = set(sys.modules)
"""
END = """
print(*(sys.modules.keys() - brought_along))
sys.exit(code)
"""
DOWNLOAD = """
import millstream

async def main(torrent, directory):
    config = millstream.EngineConfig(network=millstream.NetworkConfig(listen_hosts=("127.0.0.1",)))
    async with millstream.create_native_engine(config, save_path=directory) as engine:
        added = await engine.add(torrent)
        await added.wait_complete()

code = asyncio.run(main(*sys.argv[1:]))
"""
LIST = """
import socket

from millstream.cli import main

with socket.socket() as nobody:
    nobody.bind(("127.0.0.1", 0))  # and does not listen
    code = main(["list", "--daemon", f"http://127.0.0.1:{nobody.getsockname()[1]}"])
"""


def modules_of(program: str, *arguments: object, code: int = 0) -> set[str]:
    """What is imported by the end of the program, which ends with this exit code."""
    done = subprocess.run(
        [sys.executable, "-c", START + program + END, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    return set(done.stdout.split())


@pytest.mark.slow
def test_a_plain_download_imports_what_it_needs(tmp_path):
    (tmp_path / "x").write_bytes(b"x" * 40000)
    torrent = tmp_path / "x.torrent"
    torrent.write_bytes(
        b"d4:infod6:lengthi40000e4:name1:x12:piece lengthi65536e6:pieces20:"
        + hashlib.sha1(b"x" * 40000).digest()
        + b"ee"
    )
    imported = modules_of(DOWNLOAD, torrent, tmp_path)
    assert "millstream.engine.session" in imported
    assert not imported & HEAVY
    assert not imported & {f"millstream.{name}" for name in NOT_FOR_EVERYBODY}


@pytest.mark.slow
def test_a_command_that_asks_a_daemon_imports_no_engine():
    imported = modules_of(LIST, code=6)
    assert "millstream.rpc.client" in imported
    engines = ("adapters", "core", "engine", "presets", "protocol", "storage", "tracker")
    assert not imported & {f"millstream.{name}" for name in engines}
    assert not imported & {"aiohttp", "cryptography", "sqlite3", "tomllib"}


@pytest.mark.parametrize("name", sorted(NOT_FOR_EVERYBODY))
def test_what_is_kept_out_exists(name):
    assert importlib.util.find_spec(f"millstream.{name}") is not None
