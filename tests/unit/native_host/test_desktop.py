from __future__ import annotations

import asyncio

import pytest

from millstream.native_host import desktop
from millstream.native_host.desktop import Desktop, DesktopError


@pytest.fixture
def programs(tmp_path):
    directory = tmp_path / "programs"
    directory.mkdir()

    def add(name, body):
        path = directory / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return str(directory)

    return add


async def test_the_environment_answers_for_the_user(tmp_path):
    there = Desktop({"MILLSTREAM_PICK_FOLDER": "/srv"})
    assert await there.pick_folder(tmp_path) == "/srv"
    assert await Desktop({"MILLSTREAM_PICK_FOLDER": ""}).pick_folder(tmp_path) is None


async def test_no_dialog_is_there(tmp_path):
    with pytest.raises(DesktopError, match="install zenity"):
        await Desktop({"PATH": str(tmp_path)}).pick_folder(tmp_path)


async def test_a_dialog_answers(tmp_path, programs):
    path = programs("kdialog", 'echo "$4"')
    assert await Desktop({"PATH": path}).pick_folder(tmp_path) == str(tmp_path)


async def test_the_next_program_is_tried(tmp_path, programs):
    programs("xdg-open", "exit 3")
    path = programs("gio", f'echo "$2" > {tmp_path}/opened')
    await Desktop({"PATH": path}).open(tmp_path / "a")
    assert (tmp_path / "opened").read_text() == f"{tmp_path}/a\n"


async def test_no_program_can(tmp_path, programs):
    path = programs("xdg-open", "exit 3")
    with pytest.raises(DesktopError, match="xdg-open"):
        await Desktop({"PATH": path}).reveal(tmp_path)


async def test_a_program_that_shows_it_itself_is_not_waited_for(tmp_path, programs, monkeypatch):
    monkeypatch.setattr(desktop, "OPENING_TIME", 0.01)
    path = programs("xdg-open", "exec /bin/sleep 0.05")
    await Desktop({"PATH": path}).open(tmp_path)
    [waiting] = asyncio.all_tasks() - {asyncio.current_task()}
    assert await waiting == 0
