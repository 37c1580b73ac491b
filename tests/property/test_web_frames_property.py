"""Frames of a WebSocket: any are sent whole whatever a socket takes, and read as they were."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from millstream.io_wire.web_frames import FINAL, MASKED, UnsentFrames, read_length

MASK = bytes(4)
PARTS = st.lists(st.binary(max_size=200) | st.integers(0, 70_000).map(bytes), max_size=4)


class Socket:
    """Takes as many bytes at a time as the sizes say, then all; at 0 it is full once."""

    def __init__(self, sizes):
        self.sizes = sizes
        self.taken = b""

    def sendmsg(self, buffers):
        data = b"".join(buffers)
        size = self.sizes.pop(0) if self.sizes else len(data)
        if not size:
            raise BlockingIOError
        self.taken += data[:size]
        return min(size, len(data))


@given(
    st.lists(st.tuples(st.integers(0, 15), PARTS), max_size=5),
    st.lists(st.integers(0, 300), max_size=30),
    st.sampled_from([b"", MASK]),
    st.booleans(),
)
def test_any_frames_are_sent_whole_and_read_as_they_were(frames, sizes, mask, is_copied):
    unsent, socket = UnsentFrames(mask), Socket(sizes)
    for opcode, parts in frames:
        unsent.put(opcode, parts)
    while unsent:
        if is_copied:
            unsent.keep()
        with suppress(BlockingIOError):
            unsent.send(socket.sendmsg)
    data, begin, read = memoryview(socket.taken), 0, []
    while begin < len(data):
        at_mask, length = read_length(data, begin, len(data))
        payload = at_mask + len(mask)
        assert bytes(data[at_mask:payload]) == mask
        assert bool(data[begin + 1] & MASKED) == bool(mask)
        assert data[begin] & FINAL
        read.append((data[begin] & 0x0F, bytes(data[payload : payload + length])))
        begin = payload + length
    assert read == [(opcode, b"".join(parts)) for opcode, parts in frames]


@given(st.binary(max_size=12), st.integers(0, 3))
def test_any_bytes_have_a_length_or_not_yet(data, begin):
    found = read_length(memoryview(bytes(begin) + data), begin, begin + len(data))
    longer = read_length(memoryview(bytes(begin) + data + bytes(10)), begin, begin + len(data) + 10)
    assert longer is not None
    assert found in {None, longer}
    assert longer[0] in {begin + 2, begin + 4, begin + 10}
