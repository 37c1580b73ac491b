"""The routes of files: compatible with the original's, and safer."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import os

import pytest

from millstream.io_daemon import bodies, whole_files
from millstream.io_daemon.lent_files import LentFiles

from .http_client import ask, asking, at

GOOD = ["a", "d/e f/g.txt", "a..b", "é/#?%20&=", "名前"]

# Every path that must not work, and what it is refused with.
BAD = [
    ("../outside/new", "BadPath"),
    ("d/../../outside/new", "BadPath"),
    ("/etc/new", "BadPath"),
    ("//new", "BadPath"),
    ("", "BadPath"),
    ("a//b", "BadPath"),
    ("a\0b", "BadPath"),
    ("out/new", "SymbolicLink"),
    ("out/secret", "SymbolicLink"),
    ("out", "SymbolicLink"),
]


def everything(root):
    return {
        path.relative_to(root.parent).as_posix()
        for path in root.parent.rglob("*")
        if not path.is_symlink()
    }


def sha1(data):
    return hashlib.sha1(data).hexdigest()


@pytest.mark.parametrize("path", GOOD)
async def test_writing_and_reading(url, root, path):
    data = b"x" * 3_000_000
    headers = at(path, X_Offset=2, X_Expected_SHA1=sha1(data))
    sent = io.BytesIO(data)  # as it is, aiohttp warns
    assert await ask(url, "POST", "/write/r", data=sent, headers=headers) == (200, b"")
    assert (root / path).read_bytes() == b"\0\0" + data
    assert await ask(url, "GET", "/read/r", headers=at(path)) == (200, b"\0\0" + data)
    found = await ask(url, "GET", "/read/r", headers=at(path, X_Offset=1, X_Length=3))
    assert found == (200, b"\0xx")
    assert await ask(url, "GET", "/read/r", headers=at(path, X_Length=0)) == (200, b"")


async def test_the_hash_may_be_in_capitals_or_left_out(url, root):
    headers = at("a", X_Expected_SHA1=sha1(b"x").upper())
    assert (await ask(url, "POST", "/write/r", data=b"x", headers=headers))[0] == 200
    assert (await ask(url, "POST", "/write/r", data=b"y", headers=at("a")))[0] == 200
    assert (root / "a").read_bytes() == b"y"


async def test_a_mismatch_touches_nothing(url, root):
    before = everything(root)
    headers = at("new/a", X_Expected_SHA1=sha1(b"other"))
    status, told = await ask(url, "POST", "/write/r", data=b"x", headers=headers)
    assert (status, told["error"]) == (409, "HashMismatch")
    assert told["message"].startswith("Hash mismatch")
    assert everything(root) == before


@pytest.mark.parametrize(("path", "code"), BAD)
async def test_no_path_leads_out(url, root, path, code):
    before = everything(root)
    for method, route in (("POST", "/write/r"), ("GET", "/read/r")):
        status, told = await ask(url, method, route, data=b"x", headers=at(path))
        assert (told["error"], status) == (code, 400 if code == "BadPath" else 403)
        assert str(root) not in told["message"]
    query = {"root_key": "r", "path": path}
    if path:
        for route in ("/ops/stat", "/ops/list"):
            assert (await ask(url, "GET", route, params=query))[1]["error"] == code
    for route in ("/ops/truncate", "/ops/delete", "/files/ensure_dir"):
        if path in {"", "out"} and route != "/ops/truncate":
            continue
        told = (
            await ask(url, "POST", route, json=query | {"length": 0} if "trunc" in route else query)
        )[1]
        assert told["error"] in {code, "NotFound"}
    assert everything(root) == before
    assert (root.parent / "outside" / "secret").read_bytes() == b"secret"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Path-Base64": "a"},
        {"X-Path-Base64": "YQ"},
        {"X-Path-Base64": "YQ==\t"},
        {"X-Path-Base64": base64.b64encode(b"\xe9").decode()},
        at("a", X_Offset="-1"),
        at("a", X_Offset="x"),
        at("a", X_Offset="1e3"),
        at("a", X_Offset=1 << 63),
        at("a", X_Offset="9" * 5000),
        at("a", X_Expected_SHA1="x"),
        at("a", X_Expected_SHA1="g" * 40),
    ],
)
async def test_headers_that_make_no_sense(url, root, headers):
    if headers.get("X-Path-Base64", "").endswith("\t"):
        headers = {"X-Path-Base64": "YQ= ="}
    status, _ = await ask(url, "POST", "/write/r", data=b"x", headers=headers)
    assert status == 400
    assert not (root / "a").exists()


async def test_a_root_that_nobody_lent(url):
    for root in ("x", "R", "..", "%2e%2e", "r%2f..", "%00"):
        status, told = await ask(url, "POST", f"/write/{root}", data=b"x", headers=at("a"))
        assert status in {403, 404}, told


async def test_a_body_that_is_too_long(url, root, monkeypatch):
    monkeypatch.setattr(bodies, "MAX_BODY", 10)
    monkeypatch.setattr(bodies.Bodies.read.__wrapped__, "__defaults__", (10,))

    async def endless():
        for _ in range(11):
            yield b"x"

    for data in (b"x" * 11, endless()):
        status, told = await ask(url, "POST", "/write/r", data=data, headers=at("a"))
        assert (status, told["error"]) == (413, "BodyTooLarge")
    assert not (root / "a").exists()


async def test_a_full_disk(url, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(LentFiles, "open", full)
    status, told = await ask(url, "POST", "/write/r", data=b"x", headers=at("a"))
    assert (status, told["error"], told["errno"]) == (507, "DiskFull", errno.ENOSPC)


async def test_what_cannot_be_read(url, root):
    (root / "short").write_bytes(b"x")
    (root / "d").mkdir()
    for path, more, status in (
        ("none", {}, 404),
        ("none/at/all", {}, 404),
        ("short/x", {}, 404),
        ("d", {}, 400),
        ("short", {"X_Length": 2}, 500),
        ("short", {"X_Offset": 2}, 500),
    ):
        assert (await ask(url, "GET", "/read/r", headers=at(path, **more)))[0] == status


async def test_a_file_that_becomes_shorter_ends_the_connection(url, root, monkeypatch):
    (root / "a").write_bytes(bytes(3_000_000))
    steps = iter([bytes(1 << 20)])

    def read_step(_span, _done):
        try:
            return next(steps)
        except StopIteration:
            raise OSError(errno.EIO, "shorter") from None

    monkeypatch.setattr("millstream.io_daemon.http_files.read_step", read_step)
    async with asking(url, "GET", "/read/r", headers=at("a")) as response:
        assert response.status == 200
        with pytest.raises(Exception, match=r"payload|closed|reset|Disconnected"):
            await response.read()
    assert whole_files.READ_STEP == 1 << 20


# The cold paths.


async def test_the_routes_of_the_original(url, root):
    place = {"root_key": "r", "path": "d/é"}
    assert (await ask(url, "POST", "/files/ensure_dir", json={"root_key": "r", "path": "d"}))[
        0
    ] == 200
    (root / "d" / "é").write_bytes(b"data")
    status, stat = await ask(url, "GET", "/ops/stat", params=place)
    mtime = int((root / "d" / "é").stat().st_mtime * 1000)
    assert status == 200
    assert stat == {"size": 4, "mtime": mtime, "is_directory": False, "is_file": True}
    assert await ask(url, "GET", "/ops/list", params=place | {"path": "d"}) == (200, ["é"])
    assert (await ask(url, "POST", "/ops/truncate", json=place | {"length": 2}))[0] == 200
    assert (root / "d" / "é").read_bytes() == b"da"
    assert (await ask(url, "POST", "/ops/delete", json=place | {"path": "d"}))[0] == 200
    assert not (root / "d").exists()
    for route in ("/ops/stat", "/ops/list"):
        assert (await ask(url, "GET", route, params=place))[0] == 404
    assert (await ask(url, "POST", "/ops/delete", json=place))[0] == 404
    assert (await ask(url, "POST", "/ops/truncate", json=place | {"length": 2}))[0] == 404


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_hashes(url, root, algorithm):
    (root / "a b#").write_bytes(b"0123456789")
    digest = hashlib.new(algorithm, b"12345678")
    assert await ask(url, "POST", f"/hash/{algorithm}", data=b"12345678") == (200, digest.digest())
    for name in ("root_token", "root_key"):
        query = {name: "r", "offset": "1", "length": "8"}
        found = await ask(url, "GET", f"/hash/{algorithm}/a%20b%23", params=query)
        assert found == (200, digest.hexdigest().encode())
    for path in ("../outside/secret", "%2e%2e/outside/secret", "out/secret"):
        status, _ = await ask(url, "GET", f"/hash/{algorithm}/{path}", params={"root_key": "r"})
        assert status in {400, 403, 404}


async def test_calls(url, root):
    (root / "a").write_bytes(b"x")
    status, told = await ask(url, "POST", "/fs/stat_many", json={"root": "r", "paths": ["a", "b"]})
    assert (status, told["stats"][0][0], told["stats"][1]) == (200, 1, None)
    assert (await ask(url, "POST", "/fs/format", json={}))[0] == 404
    assert (await ask(url, "POST", "/fs/stat", json={"root": "r"}))[1]["field"] == "path"
    assert (await ask(url, "POST", "/fs/stat", data=b"{"))[1]["error"] == "MalformedJson"
    assert (await ask(url, "POST", "/fs/stat", data=b"[" * 100_000))[0] == 400


async def test_a_query_that_lacks_something(url):
    for route in ("/ops/stat?path=a", "/ops/list?root_key=r", "/hash/sha1/a"):
        status, told = await ask(url, "GET", route)
        assert (status, told["error"]) == (400, "InvalidField")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/write/r"), ("POST", "/read/r"), ("GET", "/fs/stat"), ("DELETE", "/ops/delete")],
)
async def test_another_method(url, method, path):
    assert (await ask(url, method, path))[0] == 405
