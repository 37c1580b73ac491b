from __future__ import annotations

import asyncio
import stat

import pytest

from millstream.native_host import daemon_process
from millstream.native_host.daemon_process import (
    DaemonFailedError,
    DaemonProcess,
    daemon_arguments,
)


def test_the_arguments(tmp_path):
    arguments = daemon_arguments(
        tmp_path / "i", "-id", tmp_path / "t", ["https://a.example"], parent_pid=7
    )
    assert arguments[0] == "io-daemon"
    assert "--install-id=-id" in arguments, "no id is read as an option"
    assert f"--token-file={tmp_path / 't'}" in arguments
    assert "--parent-pid=7" in arguments
    assert "--allow-origin=https://a.example" in arguments


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Puts a program in the interpreter's place."""

    def python(body):
        path = tmp_path / "python"
        path.write_text(
            f'#!/bin/sh\nfor word; do case "$word" in --token-file=*) '
            f'token="${{word#*=}}";; esac; done\n{body}\n'
        )
        path.chmod(0o755)
        monkeypatch.setattr(daemon_process.sys, "executable", str(path))

    return python


async def test_the_token_is_handed_over_in_a_file_of_the_owner(tmp_path, python):
    python(
        f'cat "$token" > {tmp_path}/seen; ls -l "$token" > {tmp_path}/mode; echo 7; exec sleep 9'
    )
    process = DaemonProcess(tmp_path / "rpc-info.json")
    address = await process.start("i")
    try:
        assert address.port == 7
        assert (tmp_path / "seen").read_text().strip() == address.token
        assert (tmp_path / "mode").read_text().startswith("-rw-------")
        assert not list(tmp_path.glob("io-token*"))
        assert stat.S_IMODE((tmp_path / "seen").stat().st_mode)
    finally:
        await process.stop()


@pytest.mark.parametrize(
    ("body", "why"),
    [("exit 6", "code 6"), ("echo no; exec sleep 9", "b'no"), ("exec sleep 9", "does not say")],
)
async def test_a_daemon_that_does_not_start(tmp_path, python, monkeypatch, body, why):
    monkeypatch.setattr(daemon_process, "START_TIME", 0.1)
    python(body)
    process = DaemonProcess(tmp_path / "rpc-info.json")
    with pytest.raises(DaemonFailedError, match=why):
        await process.start("i")
    assert process._process is None
    assert not list(tmp_path.glob("io-token*"))
    await process.stop()


async def test_what_does_not_end_is_killed(tmp_path, python, monkeypatch):
    monkeypatch.setattr(daemon_process, "END_TIME", 0.05)
    python('trap "" TERM; echo 7; while true; do sleep 0.01; done')
    process = DaemonProcess(tmp_path / "rpc-info.json")
    await process.start("i")
    async with asyncio.timeout(5):
        await process.stop()


async def test_nobody_to_tell(tmp_path):
    process = DaemonProcess(tmp_path / "rpc-info.json")
    await process.reload()
    await process.stop()
