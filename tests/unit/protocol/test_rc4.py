"""Its stream is compared with RFC 6229 in tests/conformance; here is what else can go wrong."""

from __future__ import annotations

from millstream.protocol.rc4 import Rc4


def test_the_stream_of_rfc_6229():
    stream = Rc4(bytes.fromhex("0102030405")).update(bytes(16))
    assert stream.hex() == "b2396305f03dc027ccc3524a0a1118a8"


def test_what_is_encrypted_is_decrypted():
    data = bytes(range(256))
    encrypted = Rc4(b"key").update(data)
    assert encrypted != data
    assert Rc4(b"key").update(encrypted) == data


def test_in_place_in_any_split():
    data = bytes(range(200))
    buffer = bytearray(data)
    cipher = Rc4(b"key")
    for begin, end in ((0, 0), (0, 1), (1, 77), (77, 200)):
        part = memoryview(buffer)[begin:end]
        assert cipher.update_into(part, part) == end - begin
    assert buffer == Rc4(b"key").update(data)


def test_into_a_longer_buffer_leaves_the_rest():
    into = bytearray(b"." * 8)
    assert Rc4(b"key").update_into(b"abc", into) == 3
    assert into == Rc4(b"key").update(b"abc") + b"....."


def test_zeros_in_front_are_kept():
    """The sum of many bytes as one number loses none of them."""
    stream = Rc4(b"key").update(bytes(64))
    assert Rc4(b"key").update(stream) == bytes(64)
