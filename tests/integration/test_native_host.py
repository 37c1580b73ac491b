"""The native host as browsers start it: frames at its pipes, and a real io-daemon behind it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import signal
import stat
import struct
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from .native_client import PATIENCE, native_host
from .programs import run

EXTENSION = "dbokmlpefliilbjldladbimlcfgbolhk"
ORIGIN = f"chrome-extension://{EXTENSION}"
INSTALL = "6f3f1ad4-0000-4000-8000-000000000001"
HELLO = {"extensionId": EXTENSION, "installId": INSTALL}


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Down loads,é").mkdir()
    return tmp_path / "Down loads,é"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A directory that is first in PATH, and a writer of programs that note how they are called."""
    directory = tmp_path / "programs"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)

    def add(name, body=""):
        path = directory / name
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {directory}/{name}.called\n{body}\n')
        path.chmod(0o755)
        return directory / f"{name}.called"

    return add


def info_path(home):
    return home / ".config" / "jstorrent-native" / "rpc-info.json"


def headers(answer, path):
    encoded = base64.b64encode(path.encode()).decode()
    token = answer["payload"]["token"]
    return {"X-JST-Auth": token, "X-Path-Base64": encoded, "Origin": ORIGIN}


def command_lines():
    seen = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            seen += path.read_bytes()
    return seen


def loaded(path):
    return json.loads(Path(path).read_bytes())


async def gone(port):
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return
            writer.close()
            await asyncio.sleep(0.05)


async def test_from_the_handshake_to_a_written_file(home, folder):
    pick = {"MILLSTREAM_PICK_FOLDER": str(folder)}
    async with native_host(home, f"{ORIGIN}/", **pick) as client, aiohttp.ClientSession() as http:
        hello = await client.ask("handshake", **HELLO)
        assert (hello["ok"], hello["type"], hello["payload"]["roots"]) == (True, "DaemonInfo", [])
        base = f"http://127.0.0.1:{hello['payload']['port']}"
        picked = await client.ask("pickDownloadDirectory")
        root = picked["payload"]["root"]
        assert picked["type"] == "RootAdded"
        assert (root["path"], root["display_name"]) == (str(folder), folder.name)
        assert root["key"] == hashlib.sha256(str(folder).encode()).hexdigest()[:16]

        url = f"{base}/write/{root['key']}"
        async with http.post(url, data=b"abc", headers=headers(hello, "a..b/é #?%")) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert (folder / "a..b" / "é #?%").read_bytes() == b"abc"

        again = await client.ask("handshake", **HELLO)
        assert again["payload"]["port"] == hello["payload"]["port"], "it is one daemon"
        assert [known["key"] for known in again["payload"]["roots"]] == [root["key"]]

        removed = await client.ask("deleteDownloadRoot", key=root["key"])
        assert (removed["type"], removed["payload"]) == ("RootRemoved", {"key": root["key"]})
        async with http.post(url, data=b"abc", headers=headers(hello, "b")) as response:
            assert response.status == 403
        assert not (folder / "b").exists()
        assert not (await client.ask("deleteDownloadRoot", key=root["key"]))["ok"]

        code, out, err = await client.hang_up()
        assert (code, out, err) == (0, b"", "")
        await gone(hello["payload"]["port"])


async def test_what_was_lent_is_remembered_for_its_owner_alone(home, folder):
    async with native_host(home, MILLSTREAM_PICK_FOLDER=str(folder)) as client:
        await client.ask("handshake", **HELLO)
        key = (await client.ask("pickDownloadDirectory"))["payload"]["root"]["key"]
        await client.hang_up()
    mode = info_path(home).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    profile = json.loads(info_path(home).read_bytes())["profiles"][0]
    assert profile["install_id"] == INSTALL
    left = {path.name for path in info_path(home).parent.iterdir()}
    assert left == {"rpc-info.json", "rpc-info.json.lock"}, "no token is left"

    folder.rmdir()
    async with native_host(home) as client:
        hello = await client.ask("handshake", **HELLO)
        [root] = hello["payload"]["roots"]
        assert (root["key"], root["last_stat_ok"]) == (key, False)
        other = await client.ask("handshake", extensionId=EXTENSION, installId="another")
        assert other["payload"]["roots"] == [], "another installation's folders are its own"
        assert other["payload"]["port"] != hello["payload"]["port"]
        await gone(hello["payload"]["port"])


async def test_the_token_is_in_no_command_line(home):
    async with native_host(home) as client:
        token = (await client.ask("handshake", **HELLO))["payload"]["token"]
        seen = command_lines()
        assert b"io-daemon" in seen
        assert token.encode() not in seen


async def test_a_killed_host_takes_its_daemon_along(home):
    async with native_host(home) as client:
        port = (await client.ask("handshake", **HELLO))["payload"]["port"]
        client.process.send_signal(signal.SIGKILL)
        await gone(port)


async def test_sigterm_ends_it_in_order(home):
    async with native_host(home) as client:
        port = (await client.ask("handshake", **HELLO))["payload"]["port"]
        client.process.send_signal(signal.SIGTERM)
        code, _, err = await client.end()
        assert (code, err) == (0, "")
        await gone(port)


async def test_a_daemon_that_died_is_started_again(home):
    async with native_host(home) as client, aiohttp.ClientSession() as http:
        first = await client.ask("handshake", **HELLO)
        port = first["payload"]["port"]
        url = f"http://127.0.0.1:{port}/control/shutdown"
        async with http.post(url, headers=headers(first, "")) as response:
            assert response.status == 200
        await gone(port)
        second = await client.ask("handshake", **HELLO)
        assert second["ok"]
        assert second["payload"]["token"] != first["payload"]["token"]


async def test_opening_and_revealing_stay_inside(home, folder, programs):
    opened, called = programs("xdg-open"), programs("dbus-send")
    film = folder / "a" / "film, 1.mkv"
    film.parent.mkdir()
    film.write_bytes(b"")
    (folder / "setup.EXE").write_bytes(b"")
    (folder.parent / "secret").write_bytes(b"")
    (folder / "out").symlink_to("../secret")
    (folder / "in").symlink_to("a/film, 1.mkv")
    async with native_host(home, MILLSTREAM_PICK_FOLDER=str(folder)) as client:
        await client.ask("handshake", **HELLO)
        key = (await client.ask("pickDownloadDirectory"))["payload"]["root"]["key"]

        answer = await client.ask("openFile", rootKey=key, path="in")
        assert (answer["ok"], answer["type"]) == (True, "Empty")
        assert opened.read_text() == f"{film}\n"
        assert (await client.ask("revealInFolder", rootKey=key, path="a/film, 1.mkv"))["ok"]
        assert f"/{folder.name[:4]}%20loads%2C%C3%A9/a/film%2C%201.mkv\n" in called.read_text()

        opened.unlink()
        called.unlink()
        for path in ("out", "../secret", str(film), "a/../../secret", "nothing", "setup.EXE"):
            assert not (await client.ask("openFile", rootKey=key, path=path))["ok"], path
        for path in ("out", "../secret", "/etc/passwd", "nothing"):
            assert not (await client.ask("revealInFolder", rootKey=key, path=path))["ok"], path
        assert not (await client.ask("openFile", rootKey="0" * 16, path="in"))["ok"]
        assert not opened.exists()
        assert not called.exists()


async def test_a_dialog_asks_for_the_folder_and_others_go_on(home, folder, programs):
    go_on = home / "go-on"
    body = f'while ! [ -e {go_on} ]; do sleep 0.02; done; echo "{folder}"'
    called = programs("zenity", body)
    async with native_host(home) as client:
        await client.ask("handshake", **HELLO)
        await client.send({"id": "dialog", "op": "pickDownloadDirectory"})
        second = await client.ask("pickDownloadDirectory")
        assert "already" in second["error"]
        go_on.touch()
        answer = await client.receive()
        assert (answer["id"], answer["payload"]["root"]["path"]) == ("dialog", str(folder))
        assert f"--filename={home}/" in called.read_text().splitlines()


async def test_a_dialog_that_was_cancelled(home, programs):
    programs("zenity", "exit 1")
    async with native_host(home) as client:
        await client.ask("handshake", **HELLO)
        answer = await client.ask("pickDownloadDirectory")
        assert (answer["ok"], answer["error"]) == (False, "no folder was chosen")


async def test_what_makes_no_sense_is_answered(home):
    async with native_host(home, f"{ORIGIN}/") as client:
        assert "handshake" in (await client.ask("pickDownloadDirectory"))["error"]
        assert "no operation" in (await client.ask("format", drive="c"))["error"]
        other = await client.ask("handshake", extensionId="x", installId=INSTALL)
        assert "browser says" in other["error"]
        await client.send([1, 2])
        assert await client.receive() == {
            "id": None,
            "ok": False,
            "error": "a request is a JSON object",
            "type": "Empty",
        }
        assert (await client.ask("handshake", **HELLO))["ok"], "it goes on"


async def test_links_come_from_the_desktop(home, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    link = "magnet:?xt=urn:btih:" + "ab" * 20
    async with native_host(home) as client:
        await client.ask("handshake", **HELLO)
        code, _, err = await run("native-host", "open", link)
        assert (code, err) == (0, "")
        assert await client.receive() == {"event": "MagnetAdded", "payload": {"link": link}}
        (tmp_path / "é.torrent").write_bytes(b"d4:infode" + bytes(600_000))
        # More than a pipe holds: the browser takes it while it is handed over.
        (code, _, err), event = await asyncio.gather(
            run("native-host", "open", tmp_path / "é.torrent"), client.receive()
        )
        assert (code, err) == (0, "")
        assert (event["event"], event["payload"]["name"]) == ("TorrentAdded", "é.torrent")
        assert len(base64.b64decode(event["payload"]["contentsBase64"])) == 600_009
        assert (await client.hang_up())[1:] == (b"", "")
    code, _, err = await run("native-host", "open", link)
    assert (code, "no browser" in err) == (6, True)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (struct.pack("=I", (64 << 20) + 1), "67108865 bytes"),
        (struct.pack("=I", 0), "0 bytes"),
        (struct.pack("=I", 3) + b"{]}", "no JSON"),
        (struct.pack("=I", 2) + b"\xff\xff", "no JSON"),
        (struct.pack("=I", 9) + b"{", "within a frame"),
    ],
)
async def test_a_broken_frame_ends_it(home, sent, why):
    async with native_host(home) as client:
        await client.send_raw(sent)
        code, out, err = await client.hang_up()
        assert (code, out) == (2, b"")
        assert why in err
        assert err.startswith("millstream: ")
        assert err.count("\n") == 1


async def test_an_installed_manifest_starts_it(home, monkeypatch):
    monkeypatch.setenv("HOME", str(home))
    code, lines, err = await run("native-host", "install", "--json")
    assert (code, err) == (0, "")
    installed = {event["browser"]: event["path"] for event in map(json.loads, lines)}
    assert set(installed) == {"chrome", "chromium"}, "Firefox has no such extension"
    manifest = loaded(installed["chromium"])
    assert f"{ORIGIN}/" in manifest["allowed_origins"]

    begun = time.monotonic()
    async with native_host(home, f"{ORIGIN}/", program=(manifest["path"],)) as client:
        assert (await client.ask("handshake", **HELLO))["ok"]
        assert (await client.hang_up())[0] == 0
    assert time.monotonic() - begun < PATIENCE

    code, lines, err = await run("native-host", "uninstall")
    assert (code, err, len(lines)) == (0, "", 2)
    left = [path for path in home.rglob("*") if path.name.startswith("com.")]
    assert left == []


@pytest.mark.skipif(sys.platform != "linux", reason="only here are manifests where this looks")
async def test_another_programs_manifest_stays(home, monkeypatch):
    monkeypatch.setenv("HOME", str(home))
    path = home / ".config/chromium/NativeMessagingHosts/com.jstorrent.native.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"name": "com.jstorrent.native"}')
    code, _, err = await run("native-host", "install")
    assert code == 2
    assert "--replace" in err
    assert not (home / ".local").exists()
    assert (await run("native-host", "uninstall"))[0] == 0
    assert path.exists()
    assert (await run("native-host", "install", "--replace"))[0] == 0
    assert "allowed_origins" in path.read_text()
