from __future__ import annotations

import asyncio

import pytest

from millstream.adapters.daemon import link as module
from millstream.adapters.daemon.address import DaemonAddress
from millstream.adapters.daemon.link import OPEN_TIME, open_link
from millstream.errors import NetworkError
from millstream.io_wire.envelope import (
    MAX_MESSAGE,
    Opcode,
    encode_frame,
    pack_frames,
    split_message,
)
from millstream.io_wire.handshake import Auth, AuthResult, Feature, Hello
from millstream.testing import run_virtual

TOKEN = "the token " * 2
ADDRESS = DaemonAddress(token=TOKEN, port=1234)
HELLO = encode_frame(
    Opcode.SERVER_HELLO, 0, Hello(Feature.PACKED | Feature.CREDIT, 1 << 20, 500, 600).encode()
)
RIGHT = encode_frame(Opcode.AUTH_RESULT, 0, AuthResult(True).encode())


class Socket:
    """In place of `web_socket.WebSocket`; `answers` are made to what is sent, one by one."""

    answers = ()
    latest = None

    def __init__(self, connected, received, drained, lost, max_message, early):
        Socket.latest = self
        assert max_message == MAX_MESSAGE
        assert early == b"early"
        self.received, self.lost, self.drained = received, lost, drained
        self.sent = []
        self.left = list(self.answers)
        self.is_sending = False
        self.closed = []

    def send(self, buffers):
        self.sent.append(b"".join(buffers))
        if self.left:
            answer = self.left.pop(0)
            asyncio.get_running_loop().call_later(0.5, self.say, answer)

    def say(self, answer):
        if isinstance(answer, Exception):
            self.lost(answer)
        elif answer:
            self.received(memoryview(bytearray(answer)))

    def close(self, error=None):
        self.closed.append(error)
        if error is not None:
            asyncio.get_running_loop().call_soon(self.lost, error)


@pytest.fixture
def opened(monkeypatch):
    class Connected:
        closed = 0

        def close(self):
            self.closed += 1

    async def connect(address):
        return Connected()

    async def upgrade(connected, address):
        return b"early"

    monkeypatch.setattr(module, "connect", connect)
    monkeypatch.setattr(module, "upgrade", upgrade)
    monkeypatch.setattr(module, "WebSocket", Socket)

    async def open_with(*answers, received=lambda _frame: None):
        Socket.answers = answers
        return await open_link(ADDRESS, 4000, received)

    return open_with


def test_hello_and_token(opened):
    async def main():
        link = await opened(HELLO, pack_frames([RIGHT]))
        hello, auth = Socket.latest.sent
        (frame,) = split_message(memoryview(hello), packed=False)
        assert frame.opcode == Opcode.CLIENT_HELLO
        said = Hello.parse(frame.payload)
        assert said == Hello(Feature.PACKED | Feature.CREDIT, MAX_MESSAGE, 4000, 0)
        (frame,) = split_message(memoryview(auth), packed=True)
        assert frame.opcode == Opcode.AUTH
        assert Auth.parse(frame.payload) == Auth(TOKEN)
        assert (link.hello.socket_window, link.hello.batch_window) == (500, 600)
        assert link.round_trip == 0.5

    run_virtual(main())


def test_frames_in_both_directions(opened):
    async def main():
        frames = []
        link = await opened(
            HELLO,
            pack_frames([RIGHT]),
            received=lambda frame: frames.append((frame.opcode, bytes(frame.payload))),
        )
        socket = Socket.latest
        socket.say(pack_frames([encode_frame(18, 0, b"a"), encode_frame(19, 0, b"b")]))
        assert frames == [(18, b"a"), (19, b"b")]
        link.outbox.put(1, 2, [b"x"])
        link.outbox.put(3, 4, [b"y"])
        assert len(socket.sent) == 2
        await asyncio.sleep(0)
        (message,) = socket.sent[2:]
        assert message == pack_frames([encode_frame(1, 2, b"x"), encode_frame(3, 4, b"y")])
        socket.is_sending = True
        link.outbox.put(5, 6, [b"z"])
        await asyncio.sleep(0)
        assert len(socket.sent) == 3
        socket.is_sending = False
        socket.drained()
        assert len(socket.sent) == 4
        link.close()
        assert socket.closed == [None]

    run_virtual(main())


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([encode_frame(Opcode.SERVER_HELLO)], "too old"),
        ([encode_frame(Opcode.SERVER_HELLO, 0, Hello(Feature.PACKED).encode())], "too old"),
        ([encode_frame(Opcode.SERVER_HELLO, 0, b"abc")], "no io-daemon"),
        ([encode_frame(Opcode.TCP_RECV, 0, b"abcd")], "no io-daemon"),
        ([b"abc"], "makes no sense"),
        ([encode_frame(Opcode.ERROR, 0, b"version 1 is not known")], "version 1"),
        ([b"\x02" + HELLO[1:]], "no io-daemon"),
        ([NetworkError("the cable")], "gone: the cable"),
        ([HELLO, NetworkError("the cable")], "gone: the cable"),
        (
            [
                HELLO,
                pack_frames(
                    [encode_frame(Opcode.AUTH_RESULT, 0, AuthResult(False, "wrong token").encode())]
                ),
            ],
            "refuses: wrong token",
        ),
    ],
)
def test_what_is_no_daemon(opened, answers, words):
    async def main():
        with pytest.raises(NetworkError, match=words):
            await opened(*answers)
        assert Socket.latest.closed

    run_virtual(main())


@pytest.mark.parametrize("answers", [(), (HELLO,)])
def test_one_that_says_nothing(opened, answers):
    async def main():
        with pytest.raises(NetworkError, match="does not answer within 10 s"):
            await opened(*answers)
        assert asyncio.get_running_loop().time() == OPEN_TIME

    run_virtual(main())


def test_one_that_talks_nonsense_later(opened):
    async def main():
        link = await opened(HELLO, pack_frames([RIGHT]))
        Socket.latest.say(b"\xff\xff\xff\xff")
        await asyncio.sleep(0)
        assert "no sense" in str(await link.lost)

    run_virtual(main())
