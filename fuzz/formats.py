"""Targets for formats: bytes that are a value or nothing."""

from __future__ import annotations

from contextlib import suppress

from millstream.errors import (
    BencodeError,
    MalformedDataError,
    MalformedMagnetError,
    MalformedTorrentError,
    RemoteProtocolError,
)
from millstream.protocol import bencode, extension, lt_donthave, ut_metadata, ut_pex
from millstream.protocol.compact import PeerAddress, pack_peers, unpack_peers, unpack_peers6
from millstream.protocol.content_range import ContentRange
from millstream.protocol.extension import ExtensionHandshake
from millstream.protocol.file_selection import FileSelection
from millstream.protocol.handshake import HANDSHAKE_LENGTH, Handshake, HandshakeDecoder
from millstream.protocol.infohash import InfoHash
from millstream.protocol.magnet import MAX_PEERS, MAX_TRACKERS, Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.protocol.peer_id import client_name
from millstream.protocol.ut_metadata import MetadataData, MetadataReject, MetadataRequest
from millstream.protocol.ut_pex import MAX_PEX_READ, PexFlag, PexMessage, PexPeer
from millstream.storage.layout import FileLayout
from millstream.testing.content import multi_file_torrent, single_file_torrent

from .target import Script, Target

SINGLE = single_file_torrent("a name", bytes(50_000), 16384)
MULTI = multi_file_torrent(
    "many", [(("a", "b.txt"), b"x" * 100), (("a", "B.txt"), b""), (("c",), b"y" * 40_000)], 16384
)


def fuzz_bencode(data: bytes) -> None:
    """Whatever is read is written back as it was; both readers agree."""
    with suppress(BencodeError):
        bencode.decode(data, strict_keys=False)
    with suppress(BencodeError):
        bencode.decode_dict(data, strict_keys=False)
    with suppress(BencodeError):
        value, end = bencode.decode_prefix(data)
        assert bencode.encode(value) == data[:end]
    with suppress(BencodeError):
        value = bencode.decode(data)
        assert bencode.encode(value) == data


def fuzz_metainfo(data: bytes) -> None:
    """A torrent file, as it is and as an info dictionary; its paths stay where they belong."""
    for parse in (Metainfo.parse, Metainfo.from_info):
        try:
            found = parse(data)
        except MalformedTorrentError:
            continue
        assert found.piece_count * 20 == len(found.digests)
        assert -(-found.total_length // found.piece_length) == found.piece_count
        layout = FileLayout.from_metainfo(found)
        for path in layout.paths:
            parts = path.split("/")
            assert not {"", ".", ".."} & set(parts)
            assert not path.startswith("/")
        covered = sum(extent.length for extent in layout.piece_extents(0))
        assert covered == min(found.piece_length, found.total_length)
        assert Magnet.parse(str(Magnet.of(found))).info_hash == found.info_hash


def fuzz_magnet(data: bytes) -> None:
    """A link; what it says can be said again."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(MalformedDataError):
        FileSelection.parse(text)
    FileSelection.read(text)
    for link in (text, f"magnet:?xt=urn:btih:{'0' * 40}&{text}"):
        try:
            found = Magnet.parse(link)
        except MalformedMagnetError:
            continue
        assert len(found.trackers) <= MAX_TRACKERS
        assert len(found.peers) <= MAX_PEERS
        assert found.name is None or found.name.isprintable()
        assert Magnet.parse(str(found)) == found


def fuzz_handshake(data: bytes) -> None:
    """The handshake in any split; then the name of whoever sent it."""
    script = Script(data)
    decoder = HandshakeDecoder()
    stream = data[script.number(8) :]
    with suppress(RemoteProtocolError):
        taken = sum(decoder.receive(part) for part in script.parts(stream))
        assert taken <= HANDSHAKE_LENGTH
        if decoder.handshake is not None:
            assert decoder.handshake.encode() == stream[:HANDSHAKE_LENGTH]
    assert client_name(data[:20].ljust(20, b"\0")).isprintable()


def fuzz_extension(data: bytes) -> None:
    """The extension handshake; what was understood of it can be said again."""
    with suppress(RemoteProtocolError):
        extension.parse_upload_only(data)
    with suppress(RemoteProtocolError):
        said = ExtensionHandshake.parse(data)
        assert all(0 <= number <= 255 for number in said.messages.values())
        assert said.client is None or said.client.isprintable()
        assert ExtensionHandshake.parse(said.encode()) == said
        assert said.after(said) == said


def fuzz_ut_metadata(data: bytes) -> None:
    """Messages of ut_metadata."""
    with suppress(RemoteProtocolError):
        message = ut_metadata.parse(data)
        if message is not None:
            assert ut_metadata.parse(ut_metadata.encode(message)) == message


def fuzz_ut_pex(data: bytes) -> None:
    """Messages of ut_pex."""
    with suppress(RemoteProtocolError):
        message = ut_pex.parse(data)
        assert len(message.added) <= MAX_PEX_READ
        assert len(message.dropped) <= MAX_PEX_READ
        again = ut_pex.parse(ut_pex.encode(message))
        assert set(again.added) == set(message.added)
        assert set(again.dropped) == set(message.dropped)


def fuzz_lt_donthave(data: bytes) -> None:
    """Messages of lt_donthave."""
    with suppress(RemoteProtocolError):
        assert lt_donthave.encode(lt_donthave.parse(data)) == data


def fuzz_compact(data: bytes) -> None:
    """Lists of addresses, and addresses as people write them."""
    with suppress(MalformedDataError):
        assert pack_peers(unpack_peers(data)) == data
    with suppress(MalformedDataError):
        unpack_peers6(data)
    with suppress(MalformedDataError):
        address = PeerAddress.parse(data.decode("utf-8", "surrogateescape"))
        assert PeerAddress.parse(str(address)) == address


def fuzz_content_range(data: bytes) -> None:
    """Which part of a file a web seed sends."""
    with suppress(MalformedDataError):
        part = ContentRange.parse(data.decode("latin-1"))
        assert part.begin >= 0
        assert part.length > 0
        assert part.whole is None or part.begin + part.length <= part.whole


def _infos() -> list[bytes]:
    return [SINGLE, MULTI, Metainfo.parse(SINGLE).info, Metainfo.parse(MULTI).info]


_LINK = (
    f"magnet:?xt=urn:btih:{'a1' * 20}&dn=A%20name+x&tr=http%3A%2F%2Ft.example%3A80%2Fannounce"
    "&tr.1=udp://t.example:6969&ws=http://w.example/&x.pe=1.2.3.4:5&x.pe=[::1]:6&so=0,2,4-6"
)
_HELLO = ExtensionHandshake(
    messages={"ut_metadata": 3, "ut_pex": 1},
    client="Client 1.0",
    request_queue=250,
    port=6881,
    your_ip="1.2.3.4",
    metadata_size=31_235,
    upload_only=True,
    encryption=True,
)
_PEX = PexMessage(
    (PexPeer(PeerAddress("1.2.3.4", 5), PexFlag.SEED), PexPeer(PeerAddress("2001:db8::1", 6))),
    (PeerAddress("5.6.7.8", 9), PeerAddress("2001:db8::2", 6)),
)

TARGETS = [
    Target("bencode", "bencoded values", fuzz_bencode, _infos()),
    Target("metainfo", "torrent files and info dictionaries", fuzz_metainfo, _infos()),
    Target("magnet", "magnet links", fuzz_magnet, [_LINK.encode(), _LINK[7:].encode()]),
    Target(
        "handshake",
        "the handshake in any split",
        fuzz_handshake,
        [Handshake(InfoHash(bytes(20)), b"-XX0001-abcdefghijkl", 0x10_0005).encode()],
    ),
    Target("extension", "extension handshakes", fuzz_extension, [_HELLO.encode()]),
    Target(
        "ut_metadata",
        "metadata messages",
        fuzz_ut_metadata,
        [
            ut_metadata.encode(MetadataRequest(1)),
            ut_metadata.encode(MetadataData(0, 99, b"x" * 99)),
            ut_metadata.encode(MetadataReject(7)),
        ],
    ),
    Target("ut_pex", "peer exchange messages", fuzz_ut_pex, [ut_pex.encode(_PEX)]),
    Target("lt_donthave", "lost pieces", fuzz_lt_donthave, [lt_donthave.encode(5)]),
    Target(
        "content_range",
        "ranges that web seeds send",
        fuzz_content_range,
        [b"bytes 0-99/1000", b"bytes 5-5/*"],
    ),
    Target(
        "compact", "lists of addresses", fuzz_compact, [bytes(range(36)), b"1.2.3.4:5", b"[::1]:6"]
    ),
]
