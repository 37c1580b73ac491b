"""Looking at the torrents and the log of a running daemon: `list`, `top`, `log`, and their routes."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
import sys
import termios

import pytest

from .conftest import Share, make_share
from .programs import PATIENCE, millstream
from .test_control import controlled, file_body, refused, until


@pytest.fixture
def two() -> tuple[Share, Share]:
    return make_share(100_000, 16384, "first.bin"), make_share(50_000, 16384, "second.bin")


@pytest.fixture
async def served(two, tmp_path):
    """A server with two torrents: the first one seeds, the second one lacks everything."""
    directory = two[0].store(tmp_path / "seed")
    async with controlled(directory) as (server, client):
        await client.post("/engine/start")
        first, second = [
            (await client.post("/torrent/add", file_body(share)))["id"] for share in two
        ]
        await until(client, first, state="seeding")
        await until(client, second, state="downloading")
        yield server, client, first, second


async def test_a_torrent_says_what_it_lacks(served):
    _, client, first, second = served
    seeding = await client.get(f"/torrent/{first}/status")
    assert (seeding["trouble"], seeding["ratio"], seeding["errorKind"]) == (None, 0, None)
    assert seeding["whyIdle"] == "it seeds, and no peer is connected"
    assert (seeding["maxPeers"], seeding["downloadLimit"], seeding["uploadLimit"]) == (None,) * 3
    waiting = await client.get(f"/torrent/{second}/status")
    assert waiting["trouble"] == waiting["whyIdle"] != ""


async def test_the_list_is_asked_for_parts(served):
    _, client, first, second = served
    both = (await client.get("/torrents"))["torrents"]
    assert [torrent["id"] for torrent in both] == [first, second]
    assert both[0] | {"ok": True} == await client.get(f"/torrent/{first}/status")
    answer = await client.get("/torrents?fields=name&sort=-name&limit=1&totals=true")
    assert answer == {
        "ok": True,
        "torrents": [{"name": "second.bin"}],
        "count": 2,
        "totals": {
            "torrents": 2,
            "peers": 0,
            "downloadRate": 0,
            "uploadRate": 0,
            "states": {"downloading": 1, "seeding": 1},
        },
    }
    assert (await client.get("/torrents?state=seeding&fields=id"))["torrents"] == [{"id": first}]
    assert await refused(client.get("/torrents?sort=age")) == (400, "InvalidField")
    assert await refused(client.get("/torrents?stat=seeding")) == (400, "InvalidField")


async def test_the_log_is_asked_for_what_is_new(served):
    _, client, first, _ = served
    answer = await client.get("/logs?limit=3")
    numbers = [entry["number"] for entry in answer["entries"]]
    assert numbers[-1] == answer["latest"]
    assert (await client.get(f"/logs?after={answer['latest']}"))["entries"] == []
    await client.post(f"/torrent/{first}/pause")
    news = (await client.get(f"/logs?after={answer['latest']}&torrent={first}"))["entries"]
    assert news[0]["number"] > answer["latest"]
    assert any("stopped" in entry["message"] for entry in news)
    assert await refused(client.get("/logs?after=x")) == (400, "InvalidField")


@pytest.mark.slow
async def test_the_commands(served):
    server, _, first, second = served

    async def run(*arguments):
        async with millstream(*arguments, "--daemon", server.url) as program:
            assert await program.end() == 0, await program.errors()
            return program.lines

    heads, *rows = await run("list", "--sort", "-name")
    assert heads.split()[-1] == "NAME"
    assert [row.split()[0] for row in rows] == [second[:8], first[:8]]
    assert "second.bin (no peers are known" in rows[0]
    assert len(await run("list", "FIRST", "--state", "seeding")) == 2
    sums, _, *rows = await run("top", "--show", "seeding")
    assert sums.startswith("2 torrents: 1 downloading, 1 seeding")
    assert len(rows) == 1
    lines = await run("log", "--torrent", "first.bin", "--component", "torrent")
    assert all(f"[{first[:8]}]" in line for line in lines)
    assert "added: first.bin" in lines[0]


@pytest.mark.slow
async def test_the_log_goes_on(served):
    server, client, first, _ = served
    options = ("--follow", "-n", "0", "--torrent", first, "--json", "--daemon", server.url)
    async with millstream("log", *options) as program:
        async with asyncio.timeout(PATIENCE):
            told = asyncio.create_task(program.event("log"))
            while not told.done():
                await client.post(f"/torrent/{first}/pause")
                await client.post(f"/torrent/{first}/resume")
                await asyncio.wait({told}, timeout=0.2)
        assert (await told)["torrent"] == first
        assert await program.stop() == 0


@pytest.mark.slow
async def test_top_on_a_terminal(served):
    server = served[0]
    keyboard, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 90, 0, 0))
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millstream", "top", "--daemon", server.url),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm-256color", "MILLSTREAM_DEBUG": "0"},
    )
    os.close(terminal)
    try:
        shown = b""
        async with asyncio.timeout(PATIENCE):
            while b"by DOWN" not in shown:
                shown += await asyncio.to_thread(os.read, keyboard, 65536)
        assert shown.index(b"\x1b[?1049h") < shown.index(b"2 torrents: 1 downloading, 1 seeding")
        os.write(keyboard, b"sq")
        async with asyncio.timeout(PATIENCE):
            left = await asyncio.to_thread(read_all, keyboard)
            assert await program.wait() == 0
        assert b"\x1b[?1049l" in left
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
        os.close(keyboard)


def read_all(terminal: int) -> bytes:
    """What comes until the other side is closed."""
    found = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # so Linux says it
                raise
            return found
        if not part:
            return found
        found += part
