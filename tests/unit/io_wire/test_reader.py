from __future__ import annotations

import pytest

from millstream.errors import MalformedFrameError
from millstream.io_wire.reader import Reader, decode_text


def test_fields_come_one_after_another_little_endian():
    reader = Reader(memoryview(b"\1\2\0\3\0\0\0abrest"))
    assert (reader.u8(), reader.u16(), reader.u32()) == (1, 2, 3)
    assert reader.text(2) == "ab"
    assert (reader.at, reader.left) == (9, 4)
    assert reader.rest() == b"rest"
    assert reader.left == 0


@pytest.mark.parametrize("read", ["u8", "u16", "u32"])
def test_a_field_that_is_not_all_there(read):
    reader = Reader(memoryview(b"\0" * {"u8": 0, "u16": 1, "u32": 3}[read]))
    with pytest.raises(MalformedFrameError, match="announced"):
        getattr(reader, read)()


def test_a_length_that_lies_takes_nothing():
    reader = Reader(memoryview(b"abc"))
    with pytest.raises(MalformedFrameError, match="4294967295 bytes are announced and 3 are there"):
        reader.take(0xFFFF_FFFF)
    assert reader.rest() == b"abc"


def test_nothing_is_copied():
    data = bytearray(b"abc")
    taken = Reader(memoryview(data)).take(2)
    data[0] = ord("x")
    assert taken == b"xb"


def test_text_is_strict():
    assert decode_text(memoryview("é".encode())) == "é"
    with pytest.raises(MalformedFrameError, match="no UTF-8"):
        decode_text(memoryview(b"\xe9"))
    with pytest.raises(MalformedFrameError):
        decode_text(memoryview(b"\xed\xa0\x80"))  # half of a surrogate pair
