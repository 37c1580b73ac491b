from __future__ import annotations

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
