from __future__ import annotations

import errno
import os

import pytest

from millstream.native_host.private_file import replace_file, write_private


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


def mode(path):
    return path.stat().st_mode & 0o777


def test_only_its_owner_may_read_it(path):
    write_private(path, b"secret\r\n")
    assert path.read_bytes() == b"secret\r\n"
    assert mode(path) == 0o600


def test_who_has_the_old_one_open_sees_nothing_of_the_new(path):
    path.write_bytes(b"left by another")
    path.chmod(0o666)
    with path.open("rb") as opened:
        write_private(path, b"secret")
        assert opened.read() == b"left by another"
    assert (path.read_bytes(), mode(path)) == (b"secret", 0o600)


@pytest.mark.parametrize("write", [write_private, replace_file])
def test_half_of_a_file_is_none(path, write, monkeypatch):
    def fail(_descriptor):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        write(path, b"secret")
    assert list(path.parent.iterdir()) == []


def test_who_is_faster_gets_nothing(path, monkeypatch):
    other = path.with_name("other")
    unlink = type(path).unlink

    def unlink_and_link(self, *, missing_ok=False):
        unlink(self, missing_ok=missing_ok)
        other.touch()
        self.symlink_to(other)

    with monkeypatch.context() as patched:
        patched.setattr(type(path), "unlink", unlink_and_link)
        with pytest.raises(FileExistsError):
            write_private(path, b"secret")
    assert other.read_bytes() == b""


@pytest.mark.parametrize("wanted", [0o600, 0o644, 0o755])
def test_a_file_is_replaced_at_once(path, wanted):
    path.write_bytes(b"old")
    with path.open("rb") as opened:
        replace_file(path, b"new", wanted)
        assert opened.read() == b"old"
    assert (path.read_bytes(), mode(path)) == (b"new", wanted)
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_replaced_stays(path):
    path.mkdir()
    with pytest.raises(OSError, match="file"):
        replace_file(path, b"new")
    assert list(path.parent.iterdir()) == [path]
    assert path.is_dir()
