"""`download --sandboxed`: a whole download by a process that can open no file and no socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
import sys
from pathlib import Path

import pytest

from millstream import create_tracker
from millstream.cli.exit_codes import ExitCode
from millstream.sandbox.attempts import ATTEMPTS
from millstream.sandbox.landlock import landlock_version
from millstream.tracker_service.config import TrackerServiceConfig

from .conftest import make_share
from .programs import PATIENCE, Program, millstream

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("sandboxed_program.py")


def landlock():
    """The kernel's version; None if it has none."""
    with contextlib.suppress(OSError):
        return landlock_version()
    return None


@pytest.fixture(autouse=True)
def _this_kernel_can():
    if sys.platform != "linux":
        pytest.skip("Landlock and seccomp are Linux's")


@pytest.fixture
def share():
    return make_share((2 << 20) + 12345, 65536)


@pytest.fixture
async def seed(share, start_engine, tmp_path):
    """The seed's address; the torrent is in a file."""
    engine = await start_engine(share.store(tmp_path / "seed"))
    await (await engine.add(share.data)).wait_complete()
    (tmp_path / "t.torrent").write_bytes(share.data)
    return f"127.0.0.1:{engine.listen_port}"


def options(tmp_path, *peers):
    named = [option for peer in peers for option in ("--peer", peer)]
    return (*("--sandboxed", "-o", tmp_path / "out", "--allow-local"), *named)


async def witnessed(share, tmp_path, *arguments, stdout=asyncio.subprocess.PIPE):
    """Run the program with the witness inside: exit code, lines of stdout, what the witness says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, PROGRAM, "download", *map(str, arguments)),
        str(tmp_path / "out" / share.name),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"COLUMNS": "100", "TERM": "xterm-256color"},
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    return process.returncode, (out or b"").decode().splitlines(), json.loads(err.splitlines()[-1])


async def test_nothing_can_be_opened_and_every_byte_is_right(share, seed, tmp_path):
    code, lines, witness = await witnessed(
        share, tmp_path, tmp_path / "t.torrent", "--json", *options(tmp_path, seed)
    )
    assert code == 0
    assert share.stored(tmp_path / "out") == share.content
    [report] = [event for event in map(json.loads, lines) if event["event"] == "sandboxed"]
    assert (report["whole"], report["possible"], report["reasons"]) == (True, [], [])
    assert (report["landlock"], report["seccomp"]) == (landlock(), True)
    attempts = witness["attempts"]
    assert attempts.pop("all of the program's own") == str(len(ATTEMPTS))
    assert len(attempts) > 20
    refused = {"PermissionError", "gaierror", "OSError"}
    assert {name: how for name, how in attempts.items() if how not in refused} == {}
    assert witness["seen"] == [], "the engine does not even try"


async def test_on_a_terminal(share, seed, tmp_path):
    ours, theirs = pty.openpty()
    try:
        code, _, witness = await witnessed(
            share, tmp_path, tmp_path / "t.torrent", *options(tmp_path, seed), stdout=theirs
        )
        shown = os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert code == 0
    assert "the engine can open no file, socket or program" in shown
    assert witness["seen"] == []
    assert share.stored(tmp_path / "out") == share.content


@pytest.mark.parametrize("scheme", ["http", "udp"])
async def test_a_magnet_by_its_tracker(share, start_engine, tmp_path, scheme):
    """Names, trackers, peers and metadata: nothing of it is in a file, all of it is fetched inside."""
    async with create_tracker(TrackerServiceConfig(hosts=("127.0.0.1",), port=0)) as tracker:
        url = tracker.http_url if scheme == "http" else tracker.udp_url
        engine = await start_engine(share.store(tmp_path / "seed"))
        await (await engine.add(share.data, trackers=[url])).wait_complete()
        magnet = f"magnet:?xt=urn:btih:{share.metainfo.info_hash}"
        code, _, witness = await witnessed(
            share, tmp_path, magnet, "--tracker", url, "--json", *options(tmp_path)
        )
    assert code == 0
    assert share.stored(tmp_path / "out") == share.content
    assert witness["seen"] == []


def daemon_of(program: Program) -> int:
    """The process id of its only child."""
    pid = program._process.pid
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


@contextlib.asynccontextmanager
async def seeding(tmp_path, seed):
    """The program once it has downloaded all and seeds, and its daemon's process id."""
    arguments = ("download", tmp_path / "t.torrent", "--seed", "--json", *options(tmp_path, seed))
    async with millstream(*arguments) as program:
        await program.event("seeding")
        yield program, Path("/proc", str(daemon_of(program)))


async def gone(process: Path):
    async with asyncio.timeout(PATIENCE):
        while os.path.lexists(process):  # noqa: ASYNC110, ASYNC240 - nobody tells us
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_how_it_looks_from_outside_and_how_it_ends(seed, tmp_path, number):
    async with seeding(tmp_path, seed) as (program, daemon):
        status, opened = looked_at(program)
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
        # The one to the daemon, and two by which the event loop wakes itself.
        assert len([one for one in opened if one.startswith("socket:")]) == 3
        assert not [one for one in opened if str(tmp_path) in one]
        program._process.send_signal(number)
        assert await program.end() == (0 if number != signal.SIGKILL else -9)
        await gone(daemon)
        assert await program.errors() == ""


def looked_at(program: Program) -> tuple[str, list[str]]:
    process = Path("/proc", str(program._process.pid))
    opened = [str(one.readlink()) for one in (process / "fd").iterdir()]
    return (process / "status").read_text(), opened


async def test_the_daemon_is_killed(seed, tmp_path):
    """There is no second socket: the download ends, and says why."""
    arguments = ("download", tmp_path / "t.torrent", "--json", *options(tmp_path, seed))
    async with millstream(*arguments, "--limit-down", "100K") as program:
        await program.event("progress")
        os.kill(daemon_of(program), signal.SIGKILL)
        code = await program.end()
        told = await program.errors()
    assert code == ExitCode.STORAGE, told
    assert "io-daemon" in told
    assert "is gone" in told, told
