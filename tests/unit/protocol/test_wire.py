from __future__ import annotations

import struct

import pytest
from fakes import RecordingReceiver, decode

from millstream.errors import RemoteProtocolError
from millstream.protocol import messages
from millstream.protocol.messages import BLOCK_LENGTH
from millstream.protocol.wire import MAX_MESSAGE_LENGTH, WireDecoder

BLOCK = bytes(range(256)) * 64
PIECE = messages.piece_header(2, 3 * BLOCK_LENGTH, BLOCK_LENGTH) + BLOCK


def message(kind: int, payload: bytes = b"", *, length: int | None = None) -> bytes:
    return struct.pack(">IB", 1 + len(payload) if length is None else length, kind) + payload


def feed(decoder: WireDecoder, receiver: RecordingReceiver, *parts: bytes) -> None:
    for part in parts:
        decoder.receive(memoryview(part), receiver)


ALL = {
    messages.CHOKE: ("choke",),
    messages.UNCHOKE: ("unchoke",),
    messages.INTERESTED: ("interested",),
    messages.NOT_INTERESTED: ("not_interested",),
    messages.have(5): ("have", 5),
    messages.bitfield(b"\xf0\x80"): ("bitfield", b"\xf0\x80"),
    messages.request(1, 2, 3): ("request", 1, 2, 3),
    PIECE: ("piece", 2, 3 * BLOCK_LENGTH, BLOCK),
    messages.piece_header(9, 8, 0): ("piece", 9, 8, b""),
    messages.cancel(1, 2, 3): ("cancel", 1, 2, 3),
    message(13, b"\0\0\0\7"): ("suggest_piece", 7),
    messages.HAVE_ALL: ("have_all",),
    messages.HAVE_NONE: ("have_none",),
    messages.reject(1, 2, 3): ("reject", 1, 2, 3),
    message(17, b"\0\0\0\7"): ("allowed_fast", 7),
    message(20, b"\0de"): ("extended", 0, b"de"),
    message(20, b"\xff"): ("extended", 255, b""),
}


@pytest.mark.parametrize(("encoded", "expected"), ALL.items())
def test_each_message_reaches_its_method(encoded, expected):
    assert decode(encoded) == [expected]


def test_a_chunk_may_hold_many():
    assert decode(b"".join(ALL)) == list(ALL.values())


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 13, 100, 16397])
def test_messages_survive_chunks_of_every_size(size):
    receiver = RecordingReceiver()
    decoder = WireDecoder(2)
    stream = messages.KEEP_ALIVE.join(ALL)
    for start in range(0, len(stream), size):
        decoder.receive(memoryview(stream[start : start + size]), receiver)
    assert receiver.messages == list(ALL.values())


@pytest.mark.parametrize("at", range(1, 10))
def test_keep_alives_mean_nothing_wherever_they_are_cut(at):
    receiver = RecordingReceiver()
    decoder = WireDecoder(2)
    stream = messages.KEEP_ALIVE + messages.UNCHOKE + messages.KEEP_ALIVE
    decoder.receive(memoryview(stream[:at]), receiver)
    decoder.receive(memoryview(stream[at:]), receiver)
    assert receiver.messages == [("unchoke",)]


def test_messages_that_mean_nothing_to_us_are_skipped():
    skipped = message(9, b"\x1a\xe1") + message(21, b"\0de") + message(255)
    assert decode(skipped + messages.CHOKE) == [("choke",)]


def test_a_block_is_a_view_into_the_chunk():
    class Keeper(RecordingReceiver):
        def receive_block(self, index, begin, block):
            self.view = block

    keeper = Keeper()
    chunk = bytearray(PIECE)
    WireDecoder(2).receive(memoryview(chunk), keeper)
    chunk[-1] ^= 0xFF
    assert keeper.view[-1] == chunk[-1]


LENGTHS = {0: 1, 1: 1, 2: 1, 3: 1, 4: 5, 6: 13, 8: 13, 13: 5, 14: 1, 15: 1, 16: 13, 17: 5}


@pytest.mark.parametrize(
    ("kind", "length"),
    [(kind, n + 1) for kind, n in LENGTHS.items()]
    + [(kind, n - 1) for kind, n in LENGTHS.items() if n > 1],
)
def test_wrong_lengths_are_refused_before_the_payload_comes(kind, length):
    with pytest.raises(RemoteProtocolError, match=f"of kind {kind} "):
        decode(message(kind, length=length))


@pytest.mark.parametrize("length", range(1, 9))
def test_a_piece_message_has_a_header(length):
    with pytest.raises(RemoteProtocolError, match="of kind 7 "):
        decode(message(7, bytes(20), length=length))


def test_an_extended_message_names_its_extension():
    with pytest.raises(RemoteProtocolError, match="of kind 20 "):
        decode(message(20))


@pytest.mark.parametrize("kind", [7, 20, 99])
def test_long_messages_are_refused_before_they_come(kind):
    decode(message(kind, length=MAX_MESSAGE_LENGTH))
    with pytest.raises(RemoteProtocolError):
        decode(message(kind, length=MAX_MESSAGE_LENGTH + 1))


@pytest.mark.parametrize("cut", [0, 1, 4, 5])
def test_only_the_length_is_needed_to_refuse_what_is_too_long_for_anything(cut):
    decoder = WireDecoder(2)
    data = b"\xff\xff\xff\xff" + bytes(1)
    with pytest.raises(RemoteProtocolError):
        feed(decoder, RecordingReceiver(), data[:cut], data[cut:])


def test_a_bitfield_may_be_as_long_as_the_torrent_needs():
    needed = 100_000
    payload = b"\xaa" * needed
    receiver = RecordingReceiver()
    WireDecoder(needed).receive(memoryview(messages.bitfield(payload)), receiver)
    assert receiver.messages == [("bitfield", payload)]
    with pytest.raises(RemoteProtocolError):
        WireDecoder(needed).receive(memoryview(messages.bitfield(payload + b"\0")), receiver)


def test_room_for_a_bitfield_is_for_nothing_else():
    for kind in (7, 20):
        with pytest.raises(RemoteProtocolError):
            WireDecoder(100_000).receive(
                memoryview(message(kind, length=50_000)), RecordingReceiver()
            )


def test_what_the_receiver_raises_reaches_the_caller():
    class Strict(RecordingReceiver):
        def receive_have(self, index):
            raise RemoteProtocolError("not today")

    have = messages.have(1)
    for parts in ([have], [have[:6], have[6:]]):
        with pytest.raises(RemoteProtocolError, match="not today"):
            feed(WireDecoder(2), Strict(), *parts)
