"""A client's WebSocket: messages survive any cuts, and any bytes are messages or the end."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.adapters.daemon import web_socket as module
from millstream.adapters.daemon.web_socket import WebSocket

BUFFER_LENGTH = 256
MAX_MESSAGE = 1000


class Loop:
    """Remembers what is to be called soon."""

    def __init__(self):
        self.soon = []

    def call_soon(self, callback, *arguments):
        self.soon.append((callback, arguments))

    def call_later(self, delay, callback):
        return self

    def cancel(self):
        pass

    def add_reader(self, file, callback):
        self.readable = callback

    def remove_reader(self, file):
        self.readable = None


class Socket:
    """Gives these bytes, as many at a time as the sizes say."""

    def __init__(self, data, sizes):
        self.data, self.sizes = data, sizes
        self.sent = []

    def recv_into(self, view):
        assert len(view), "there is room"
        size = min(self.sizes.pop(0) if self.sizes else len(view), len(view), len(self.data))
        view[:size] = self.data[:size]
        self.data = self.data[size:]
        return size

    def sendmsg(self, buffers):
        self.sent.append(b"".join(buffers))
        return len(self.sent[-1])

    def setsockopt(self, *_):
        pass

    def close(self):
        pass


@pytest.fixture(autouse=True, scope="module")
def _small_buffer():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "RECEIVE_BUFFER_LENGTH", BUFFER_LENGTH)
        yield


def received(data, sizes):
    """Messages, answers and whether it ended before the data did."""
    loop, messages, lost = Loop(), [], []
    connected = Socket(data, list(sizes))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module.asyncio, "get_running_loop", lambda: loop)
        WebSocket(
            connected,
            lambda view: messages.append(bytes(view)),
            lambda: None,
            lost.append,
            MAX_MESSAGE,
        )
    while connected.data and loop.readable is not None:
        loop.readable()
    return messages, connected.sent, loop.readable is None


def frame(opcode, payload):
    length = len(payload)
    if length < 126:
        return bytes([0x80 | opcode, length]) + payload
    return bytes([0x80 | opcode, 126]) + struct.pack(">H", length) + payload


SIZES = st.lists(st.integers(1, 300), max_size=40)


@given(
    st.lists(
        st.tuples(st.just(2), st.integers(0, MAX_MESSAGE))
        | st.tuples(st.just(9), st.integers(0, 125)),
        max_size=8,
    ),
    SIZES,
)
def test_messages_survive_any_cuts(said, sizes):
    frames = [(opcode, bytes([number]) * size) for number, (opcode, size) in enumerate(said)]
    messages, sent, is_lost = received(b"".join(frame(*each) for each in frames), sizes)
    assert messages == [payload for opcode, payload in frames if opcode == 2]
    pings = [payload for opcode, payload in frames if opcode == 9]
    assert [answer[6:] for answer in sent] == pings
    assert not is_lost


@given(st.binary(max_size=600), SIZES)
def test_any_bytes_are_messages_or_the_end(data, sizes):
    assert received(data, sizes) == received(data, [1] * len(data))
