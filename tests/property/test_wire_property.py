from __future__ import annotations

import struct
from itertools import pairwise

from fakes import RecordingReceiver
from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import RemoteProtocolError
from millstream.protocol import messages
from millstream.protocol.messages import BLOCK_LENGTH
from millstream.protocol.wire import MAX_MESSAGE_LENGTH, WireDecoder

MAX_BITFIELD = 12
U32 = st.integers(0, 2**32 - 1)

# Every message there is an encoder for, with what it must decode to.
MESSAGES = st.one_of(
    st.sampled_from(
        [
            (messages.CHOKE, ("choke",)),
            (messages.UNCHOKE, ("unchoke",)),
            (messages.INTERESTED, ("interested",)),
            (messages.NOT_INTERESTED, ("not_interested",)),
            (messages.HAVE_ALL, ("have_all",)),
            (messages.HAVE_NONE, ("have_none",)),
            (messages.KEEP_ALIVE, None),
        ]
    ),
    st.builds(lambda i: (messages.have(i), ("have", i)), U32),
    st.builds(lambda p: (messages.bitfield(p), ("bitfield", p)), st.binary(max_size=MAX_BITFIELD)),
    st.builds(lambda i, b, n: (messages.request(i, b, n), ("request", i, b, n)), U32, U32, U32),
    st.builds(lambda i, b, n: (messages.cancel(i, b, n), ("cancel", i, b, n)), U32, U32, U32),
    st.builds(lambda i, b, n: (messages.reject(i, b, n), ("reject", i, b, n)), U32, U32, U32),
    st.builds(
        lambda i, b, data: (
            messages.piece_header(i, b, len(data)) + data,
            ("piece", i, b, data),
        ),
        U32,
        U32,
        st.binary(max_size=40) | st.just(bytes(BLOCK_LENGTH)),
    ),
    st.builds(
        lambda extension, data: (
            struct.pack(">IBB", 2 + len(data), 20, extension) + data,
            ("extended", extension, data),
        ),
        st.integers(0, 255),
        st.binary(max_size=40),
    ),
    # Of no use to us, or unknown.
    st.builds(
        lambda kind, data: (struct.pack(">IB", 1 + len(data), kind) + data, None),
        st.sampled_from([9, 10, 18, 21, 255]),
        st.binary(max_size=30),
    ),
)

# Lengths and kinds that lead somewhere, and bytes that do not.
LIKELY = st.lists(
    st.one_of(
        MESSAGES.map(lambda pair: pair[0]),
        st.builds(
            lambda n, kind: struct.pack(">IB", n, kind), st.integers(0, 20), st.integers(0, 25)
        ),
        st.sampled_from([MAX_MESSAGE_LENGTH, MAX_MESSAGE_LENGTH + 1, 2**32 - 1]).map(
            lambda n: struct.pack(">I", n)
        ),
        st.binary(max_size=8),
    ),
    max_size=8,
).map(b"".join)
ANYTHING = st.binary(max_size=100) | LIKELY


def run(chunks: list[bytes]) -> tuple[list[tuple[object, ...]], bool]:
    """The messages, and whether the stream was refused."""
    receiver = RecordingReceiver()
    decoder = WireDecoder(MAX_BITFIELD)
    try:
        for chunk in chunks:
            decoder.receive(memoryview(chunk), receiver)
            assert len(decoder._kept) < 4 + MAX_MESSAGE_LENGTH
    except RemoteProtocolError:
        return receiver.messages, True
    return receiver.messages, False


def split(data: st.DataObject, stream: bytes) -> list[bytes]:
    """The stream, cut somewhere."""
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(stream) - 1)), max_size=12)))
    ends = [0, *cuts, len(stream)]
    return [stream[start:stop] for start, stop in pairwise(ends) if start < stop]


@given(st.lists(MESSAGES, max_size=10), st.data())
def test_what_is_encoded_is_decoded_in_any_split(pairs, data):
    stream = b"".join(encoded for encoded, _ in pairs)
    expected = [meaning for _, meaning in pairs if meaning is not None]
    assert run(split(data, stream)) == (expected, False)


@given(ANYTHING, st.data())
def test_any_bytes_mean_the_same_in_any_split(stream, data):
    assert run(split(data, stream)) == run([stream])


@given(ANYTHING)
def test_any_bytes_mean_the_same_one_by_one(stream):
    assert run([bytes([byte]) for byte in stream]) == run([stream])


@given(U32, st.integers(1, 40 * BLOCK_LENGTH), st.data())
def test_packed_requests_are_requests(index, piece_length, data):
    blocks = -(-piece_length // BLOCK_LENGTH)
    first = data.draw(st.integers(0, blocks - 1))
    count = data.draw(st.integers(0, blocks - first))
    assert messages.requests(index, piece_length, first, count) == b"".join(
        messages.request(
            index, block * BLOCK_LENGTH, min(BLOCK_LENGTH, piece_length - block * BLOCK_LENGTH)
        )
        for block in range(first, first + count)
    )
