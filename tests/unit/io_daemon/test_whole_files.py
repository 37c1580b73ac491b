from __future__ import annotations

import hashlib
import os

import pytest

from millstream.http_server.refusal import Refusal
from millstream.io_daemon import whole_files
from millstream.io_daemon.whole_files import hash_span, open_span, read_step, write_verified

SHA1 = hashlib.sha1(b"data").digest()


def test_a_verified_write(files, root):
    write_verified(files, "r", "d/a", 3, bytearray(b"data"), SHA1)
    write_verified(files, "r", "d/a", 1, bytearray(b"x"), None)
    assert (root / "d" / "a").read_bytes() == b"\0x\0data"


def test_a_mismatch_touches_nothing(files, root):
    with pytest.raises(Refusal) as caught:
        write_verified(files, "r", "d/a", 0, bytearray(b"other"), SHA1)
    assert caught.value.status == 409
    assert str(caught.value).startswith("Hash mismatch")
    assert not (root / "d").exists()


def test_reading(files, root, monkeypatch):
    monkeypatch.setattr(whole_files, "READ_STEP", 3)
    (root / "a").write_bytes(b"0123456789")
    span = open_span(files, "r", "a", 2, None)
    assert (span.offset, span.length) == (2, 8)
    assert read_step(span, 0) == b"234"
    assert read_step(span, 6) == b"89"
    os.truncate(root / "a", 5)
    with pytest.raises(OSError, match="shorter"):
        read_step(span, 6)
    os.close(span.descriptor)


@pytest.mark.parametrize(("offset", "length"), [(11, None), (0, 11), (10, 1), (1 << 62, 1)])
def test_a_file_that_is_too_short(files, root, offset, length):
    (root / "a").write_bytes(bytes(10))
    with pytest.raises(Refusal) as caught:
        open_span(files, "r", "a", offset, length)
    assert caught.value.status == 500


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_hashing(files, root, algorithm, monkeypatch):
    monkeypatch.setattr(whole_files, "READ_STEP", 3)
    (root / "a").write_bytes(b"0123456789")
    found = hash_span(open_span(files, "r", "a", 1, 8), algorithm)
    assert found == hashlib.new(algorithm, b"12345678").hexdigest()
