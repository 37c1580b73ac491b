"""`millstream io-daemon` as programs start it: its first line, its token, its end."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.slow

TOKEN = "0123456789" * 2


@pytest.fixture
def start(tmp_path):
    running = []

    def start(*options, **variables):
        started = subprocess.Popen(
            [sys.executable, "-m", "millstream", "io-daemon", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=os.environ | variables,
        )
        running.append(started)
        return started

    yield start
    for each in running:
        each.kill()
        each.communicate()


def request(port, method, path, data=None, **headers):
    url = f"http://127.0.0.1:{port}{path}"
    asked = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=10) as response:  # noqa: S310 - http
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_program_starts_it_and_writes_a_file(start, tmp_path):
    daemon = start("--token-file", "token", "--root", "f=Films:films")
    port = int(daemon.stdout.readline())
    token = tmp_path / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    headers = {
        "X-JST-Auth": token.read_text().strip(),
        "X-Path-Base64": base64.b64encode("d/é".encode()).decode(),
        "X-Expected-SHA1": hashlib.sha1(b"data").hexdigest(),
    }
    status, told = request(port, "POST", "/write/f", b"data", **headers)
    assert status == 404, "the root is not there, and its owner alone makes it"
    (tmp_path / "films").mkdir()
    assert request(port, "POST", "/write/f", b"data", **headers) == (200, b"")
    assert (tmp_path / "films" / "d" / "é").read_bytes() == b"data"
    assert request(port, "POST", "/control/shutdown", b"", **headers)[0] == 200
    assert daemon.wait(10) == 0
    assert daemon.stderr.read() == ""
    assert told


def test_nobody_sees_the_token(start):
    daemon = start(MILLSTREAM_TOKEN=TOKEN)
    port = int(daemon.stdout.readline())
    with open(f"/proc/{daemon.pid}/cmdline", "rb") as file:  # noqa: PTH123 - one line
        assert TOKEN.encode() not in file.read()
    assert request(port, "GET", "/stats")[0] == 401
    assert request(port, "GET", "/stats", Authorization=f"Bearer {TOKEN}")[0] == 200


def test_no_token_no_daemon(start):
    daemon = start(MILLSTREAM_TOKEN="")
    assert daemon.wait(20) == 2
    assert "--token-file" in daemon.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it(start, tmp_path, number):
    daemon = start("--unix-socket", "s", "--no-tcp", MILLSTREAM_TOKEN=TOKEN)
    assert daemon.stdout.readline() == "0\n"
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    daemon.send_signal(number)
    assert daemon.wait(10) == 0
    assert not (tmp_path / "s").exists()


def test_it_ends_with_its_parent_however_that_ends(start):
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True
    ) as parent:
        daemon = start("--parent-pid", str(parent.pid), MILLSTREAM_TOKEN=TOKEN)
        assert int(daemon.stdout.readline())
        parent.kill()
        parent.wait()
        assert daemon.wait(10) == 0
