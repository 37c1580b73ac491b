"""What every `interfaces.cipher.Cryptography` must do."""

from __future__ import annotations

from millstream.interfaces.cipher import Cryptography

# RFC 6229: a key, and what its stream has at offsets 0, 1024 and 4096.
RC4_STREAMS = (
    (
        "0102030405",
        "b2396305f03dc027ccc3524a0a1118a8",
        "30abbcc7c20b01609f23ee2d5f6bb7df",
        "ff25b58995996707e51fbdf08b34d875",
    ),
    (
        "0102030405060708090a0b0c0d0e0f10",
        "9ac7cc9a609d1ef7b2932899cde41b97",
        "bdf0324e6083dcc6d3cedd3ca8c53c16",
        "a36a4c301ae8ac13610ccbc12256cacc",
    ),
    (
        "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
        "eaa6bd25880bf93d3f5d1e4ca2611d91",
        "7fec5bfd9f9b89ce6548309092d7e958",
        "f3e4c0a2e02d1d01f7f0a74618af2b48",
    ),
)
MSE_KEY = bytes(range(20))


class CryptographyConformance:
    """Derive, override `make_cryptography`, and run the tests."""

    def make_cryptography(self) -> Cryptography:
        """Give the adapter."""
        raise NotImplementedError

    def test_rc4_gives_the_published_streams(self) -> None:
        """Zeros, encrypted, are the stream itself."""
        cryptography = self.make_cryptography()
        for key, *parts in RC4_STREAMS:
            stream = cryptography.rc4(bytes.fromhex(key)).update(bytes(4112))
            assert [stream[at : at + 16].hex() for at in (0, 1024, 4096)] == parts

    def test_a_stream_goes_on_where_it_was(self) -> None:
        """However the bytes are cut, also into nothing, the stream is the same."""
        cryptography = self.make_cryptography()
        whole = cryptography.rc4(MSE_KEY).update(bytes(3000))
        stream = cryptography.rc4(MSE_KEY)
        parts = [stream.update(bytes(length)) for length in (0, 1, 0, 20, 1000, 979, 1000)]
        assert b"".join(parts) == whole
        assert all(type(part) is bytes for part in parts)

    def test_streams_are_apart(self) -> None:
        """Two streams of one key do not move each other."""
        cryptography = self.make_cryptography()
        one, other = cryptography.rc4(MSE_KEY), cryptography.rc4(MSE_KEY)
        assert one.update(bytes(50)) == other.update(bytes(50))
        assert one.update(bytes(50)) == other.update(bytes(50))

    def test_in_place(self) -> None:
        """A part of a buffer is encrypted where it is, and nothing around it is touched."""
        cryptography = self.make_cryptography()
        data = bytes(range(256)) * 300
        buffer = bytearray(data)
        with memoryview(buffer)[100:70_000] as part:
            assert cryptography.rc4(MSE_KEY).update_into(part, part) == 69_900
        assert buffer[:100] == data[:100]
        assert buffer[70_000:] == data[70_000:]
        assert buffer[100:70_000] == cryptography.rc4(MSE_KEY).update(data[100:70_000])
        # And back; nothing keeps the buffer: it can still grow.
        stream = cryptography.rc4(MSE_KEY)
        for begin, end in ((100, 101), (101, 5000), (5000, 5000), (5000, 70_000)):
            with memoryview(buffer)[begin:end] as part:
                stream.update_into(part, part)
        buffer += b"."
        assert buffer == data + b"."

    def test_every_kind_of_buffer(self) -> None:
        """Bytes, byte arrays and views of them come in; the last two can be filled."""
        cryptography = self.make_cryptography()
        data = bytes(range(40))
        expected = cryptography.rc4(MSE_KEY).update(data)
        for source in (data, bytearray(data), memoryview(data), memoryview(bytearray(data))):
            assert cryptography.rc4(MSE_KEY).update(source) == expected
            whole = bytearray(40)
            cryptography.rc4(MSE_KEY).update_into(source, whole)
            assert whole == expected

    def test_random_bytes_are_as_many_as_asked_for(self) -> None:
        """Also none; and never the same twice."""
        cryptography = self.make_cryptography()
        assert [len(cryptography.random_bytes(count)) for count in (0, 1, 20, 512)] == [
            *(0, 1, 20, 512)
        ]
        assert cryptography.random_bytes(20) != cryptography.random_bytes(20)
