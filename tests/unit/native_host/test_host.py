from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from millstream.native_host import host as host_module
from millstream.native_host.daemon_process import DaemonFailedError
from millstream.native_host.desktop import DesktopError
from millstream.native_host.host import NativeHost
from millstream.native_host.local_server import LocalAddress
from millstream.native_host.profiles import roots_of
from millstream.native_host.rpc_info_file import RpcInfoFile

HELLO = {"op": "handshake", "extensionId": "abc", "installId": "i"}


class FakeDaemon:
    def __init__(self):
        self.calls = []
        self.fails = False

    async def start(self, install_id, origin=""):
        self.calls.append(("start", install_id, origin))
        if self.fails:
            raise DaemonFailedError("it does not start")
        return LocalAddress(7, "secret")

    async def reload(self):
        self.calls.append(("reload",))


class FakeLinks:
    async def start(self):
        return LocalAddress(9, "link token")


class FakeScreen:
    def __init__(self):
        self.chosen = None
        self.begun_at = []
        self.shown = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def pick_folder(self, start):
        self.begun_at.append(start)
        await self.go_on.wait()
        return self.chosen

    async def open(self, path):
        self.shown.append(("open", path))

    async def reveal(self, path):
        raise DesktopError("there is no desktop")


@pytest.fixture
def daemon():
    return FakeDaemon()


@pytest.fixture
def screen():
    return FakeScreen()


@pytest.fixture
def file(tmp_path):
    return RpcInfoFile(tmp_path / "info")


@pytest.fixture
def ask(file, daemon, screen):
    host = NativeHost(file, daemon, screen, FakeLinks(), version="1.2", caller=None)

    async def ask(op, **fields):
        message = HELLO if op == "handshake" else {"op": op}
        return await host.answer({"id": 1, **message, **fields})

    return ask


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.mkv").write_bytes(b"")
    return tmp_path / "films"


async def picked(ask, screen, folder):
    screen.chosen = str(folder)
    answer = await ask("pickDownloadDirectory")
    return answer["payload"]["root"]["key"]


async def test_a_handshake_starts_the_daemon(ask, daemon):
    answer = await ask("handshake")
    assert answer["payload"] == {"port": 7, "token": "secret", "version": "1.2", "roots": []}
    assert daemon.calls == [("start", "i", "")]


async def test_the_desktop_learns_where_links_are_taken(ask, file):
    await ask("handshake")
    [profile] = file.read()
    assert (profile["port"], profile["token"]) == (9, "link token")
    assert (profile["extension_id"], profile["pid"]) == ("abc", os.getpid())


async def test_a_daemon_that_does_not_start_is_told(ask, daemon):
    daemon.fails = True
    answer = await ask("handshake")
    assert (answer["ok"], answer["error"]) == (False, "it does not start")


@pytest.mark.parametrize(
    "op", ["pickDownloadDirectory", "deleteDownloadRoot", "openFile", "revealInFolder"]
)
async def test_first_comes_the_handshake(ask, op):
    answer = await ask(op, key="k", rootKey="k", path="p")
    assert "handshake" in answer["error"]


async def test_a_chosen_folder_is_remembered_before_the_daemon_is_told(
    ask, daemon, screen, file, folder
):
    await ask("handshake")
    key = await picked(ask, screen, folder / ".." / "films")
    assert daemon.calls[-1] == ("reload",)
    [root] = roots_of(file.read(), "i")
    assert (root.key, root.path) == (key, str(folder))
    assert await picked(ask, screen, folder) == key, "the same folder is the same root"
    assert len(roots_of(file.read(), "i")) == 1
    assert screen.begun_at == [Path.home(), folder], "the next begins where the last one was"


async def test_a_folder_that_is_none(ask, screen, folder):
    await ask("handshake")
    for chosen in (folder / "a.mkv", folder / "gone"):
        screen.chosen = str(chosen)
        answer = await ask("pickDownloadDirectory")
        assert not answer["ok"]
        assert chosen.name in answer["error"]


async def test_there_is_one_dialog_at_a_time(ask, screen, folder):
    await ask("handshake")
    screen.chosen = str(folder)
    screen.go_on.clear()
    first = asyncio.create_task(ask("pickDownloadDirectory"))
    await asyncio.sleep(0)
    assert "already" in (await ask("pickDownloadDirectory"))["error"]
    screen.go_on.set()
    assert (await first)["ok"]
    assert (await ask("pickDownloadDirectory"))["ok"]


async def test_folders_have_a_limit(ask, screen, folder, monkeypatch):
    monkeypatch.setattr(host_module, "MAX_ROOTS", 1)
    await ask("handshake")
    await picked(ask, screen, folder)
    await picked(ask, screen, folder)
    screen.chosen = str(folder.parent)
    assert not (await ask("pickDownloadDirectory"))["ok"]


async def test_a_removed_folder_is_forgotten(ask, daemon, screen, file, folder):
    await ask("handshake")
    key = await picked(ask, screen, folder)
    assert (await ask("deleteDownloadRoot", key=key))["payload"] == {"key": key}
    assert roots_of(file.read(), "i") == ()
    assert folder.exists()
    assert daemon.calls[-1] == ("reload",)
    assert not (await ask("openFile", rootKey=key, path="a.mkv"))["ok"]


async def test_opening(ask, screen, folder):
    await ask("handshake")
    key = await picked(ask, screen, folder)
    assert (await ask("openFile", rootKey=key, path="a.mkv"))["type"] == "Empty"
    assert screen.shown == [("open", folder / "a.mkv")]
    answer = await ask("revealInFolder", rootKey=key, path="a.mkv")
    assert answer["error"] == "there is no desktop"
    (folder / "a.exe").write_bytes(b"")
    assert "revealed" in (await ask("openFile", rootKey=key, path="a.exe"))["error"]
    assert len(screen.shown) == 1


async def test_another_extension_than_the_browser_says(file, daemon, screen):
    host = NativeHost(file, daemon, screen, FakeLinks(), version="1.2", caller="other")
    answer = await host.answer({"id": 1, **HELLO})
    assert "'other'" in answer["error"]
    assert daemon.calls == []


async def test_our_own_mistakes_end_nothing(ask, screen, monkeypatch, caplog):
    await ask("handshake")
    monkeypatch.setattr(screen, "pick_folder", lambda _: 1 / 0)
    answer = await ask("pickDownloadDirectory")
    assert "log" in answer["error"]
    assert "ZeroDivisionError" in caplog.text


async def test_firefox_names_the_origin_of_its_pages(ask, daemon, file):
    origin = "moz-extension://0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
    await ask("handshake", extensionId="a@example.org", origin=origin)
    assert daemon.calls == [("start", "i", origin)]
    assert file.read()[0]["extension_id"] is None
