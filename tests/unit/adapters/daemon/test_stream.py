from __future__ import annotations

import asyncio

import pytest

from millstream.adapters.daemon.stream import MAX_DELIVERIES, MAX_SEND, DaemonStream, end_reason
from millstream.errors import NetworkError
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.streams import Credit, SocketData, SocketStatus, encode_socket
from millstream.io_wire.window import FIRST_WINDOW, Window, WindowRoom
from millstream.protocol.compact import PeerAddress
from millstream.testing import run_virtual

REMOTE = PeerAddress("1.2.3.4", 5)


class Handler:
    def __init__(self):
        self.received = []
        self.lost = []
        self.drained = 0
        self.on_data = lambda: None

    def data_received(self, view):
        self.received.append(bytes(view))
        view[:] = bytes(len(view))
        self.on_data()

    def output_drained(self):
        self.drained += 1

    def connection_lost(self, reason):
        self.lost.append(reason)


class Stream(DaemonStream):
    __slots__ = ("daemon", "forgotten", "handler")

    def __init__(self, daemon, credit=100):
        self.forgotten = []
        room = WindowRoom(lambda: 0.0, lambda: 0.0)
        super().__init__(daemon, 7, REMOTE, credit, Window(room), self.forgotten.append)
        self.daemon = daemon
        self.handler = Handler()

    def come(self, data):
        self.received(memoryview(bytearray(data)))

    @property
    def sent(self):
        return b"".join(
            bytes(SocketData.parse(memoryview(payload)).data)
            for opcode, payload in self.daemon.puts
            if opcode is Opcode.TCP_SEND
        )

    def said(self, opcode):
        return [payload for each, payload in self.daemon.puts if each is opcode]


def in_virtual_time(test):
    def run(daemon):
        run_virtual(test(daemon))

    run.__name__ = test.__name__
    return run


async def turn(count=3):
    for _ in range(count):
        await asyncio.sleep(0)


@in_virtual_time
async def test_bytes_go_out_as_far_as_there_is_credit(daemon):
    stream = Stream(daemon)
    stream.start(stream.handler)
    sent = []
    stream.write_many([b"a" * 60, b"b" * 60], lambda: sent.append(1))
    assert stream.sent == b"a" * 60 + b"b" * 40
    assert stream.unsent_bytes == 20
    assert not sent
    stream.add_credit(10)
    assert stream.unsent_bytes == 10
    assert stream.handler.drained == 0
    stream.add_credit(1000)
    assert stream.sent == b"a" * 60 + b"b" * 60
    assert sent == [1]
    assert stream.handler.drained == 1


@in_virtual_time
async def test_long_writes_go_in_parts(daemon):
    stream = Stream(daemon, credit=1 << 20)
    stream.write(bytes(3 * MAX_SEND + 1))
    assert [len(payload) - 4 for payload in stream.said(Opcode.TCP_SEND)] == [
        MAX_SEND,
        MAX_SEND,
        MAX_SEND,
        1,
    ]


@in_virtual_time
async def test_small_writes_that_wait_are_joined(daemon):
    stream = Stream(daemon, credit=0)
    for number in range(100):
        stream.write(b"%02d" % number)
    assert stream.unsent_bytes == 200
    stream.add_credit(1000)
    assert stream.sent == b"".join(b"%02d" % number for number in range(100))
    assert len(stream.said(Opcode.TCP_SEND)) == 2
    assert stream.unsent_bytes == 0


@in_virtual_time
async def test_what_comes_is_delivered_and_gives_credit(daemon):
    stream = Stream(daemon)
    stream.start(stream.handler)
    stream.come(b"hello")
    assert stream.handler.received == [b"hello"]
    assert not daemon.puts
    stream.come(bytes(FIRST_WINDOW // 4))
    ((opcode, payload),) = daemon.puts
    assert opcode is Opcode.CREDIT
    assert Credit.parse(memoryview(payload)) == (7, FIRST_WINDOW // 4 + 5)


@in_virtual_time
async def test_before_there_is_a_handler_it_waits(daemon):
    stream = Stream(daemon)
    stream.come(b"early")
    stream.start(stream.handler)
    assert not stream.handler.received, "not from within"
    await turn()
    assert stream.handler.received == [b"early"]


@in_virtual_time
async def test_a_paused_stream_holds_a_copy(daemon):
    stream = Stream(daemon)
    stream.start(stream.handler)
    stream.pause_reading()
    borrowed = memoryview(bytearray(b"first"))
    stream.received(borrowed)
    borrowed[:] = b"other"
    stream.come(b"second")
    await turn()
    assert not stream.handler.received
    stream.resume_reading()
    await turn()
    assert stream.handler.received == [b"first", b"second"]


@in_virtual_time
async def test_a_limit_bounds_each_delivery_and_takes_turns(daemon):
    stream = Stream(daemon)
    stream.start(stream.handler)
    stream.limit_receive(2)
    stream.come(bytes(range(2 * MAX_DELIVERIES + 1)))
    assert len(stream.handler.received) == MAX_DELIVERIES
    await turn()
    assert b"".join(stream.handler.received) == bytes(range(2 * MAX_DELIVERIES + 1))
    assert max(map(len, stream.handler.received)) == 2


@in_virtual_time
async def test_pausing_within_a_delivery(daemon):
    stream = Stream(daemon)
    stream.start(stream.handler)
    stream.limit_receive(1)
    stream.handler.on_data = stream.pause_reading
    stream.come(b"abc")
    await turn()
    assert stream.handler.received == [b"a"]
    stream.resume_reading()
    await turn()
    assert stream.handler.received == [b"a", b"b"]


@in_virtual_time
async def test_closing(daemon):
    stream = Stream(daemon, credit=0)
    stream.start(stream.handler)
    sent = []
    stream.write_many([b"x"], lambda: sent.append("dropped"))
    stream.close()
    stream.close()
    assert stream.said(Opcode.TCP_CLOSE) == [encode_socket(7)]
    assert sent == ["dropped"]
    assert stream.unsent_bytes == 0
    assert not stream.handler.lost, "not from within"
    stream.come(b"late")
    stream.write_many([b"late"], lambda: sent.append("late"))
    stream.write(b"late")
    stream.ended(None)
    await turn()
    assert stream.handler.lost == [None]
    assert sent == ["dropped", "late"]
    assert not stream.handler.received
    assert stream.forgotten == [stream]


@in_virtual_time
async def test_the_other_side_closes(daemon):
    stream = Stream(daemon)
    stream.start(stream.handler)
    reason = NetworkError("reset")
    stream.ended(reason)
    await turn()
    assert stream.handler.lost == [reason]
    stream.close()
    assert not stream.said(Opcode.TCP_CLOSE), "it is closed already"


@in_virtual_time
async def test_the_end_waits_for_what_came_before(daemon):
    stream = Stream(daemon, credit=0)
    stream.start(stream.handler)
    sent = []
    stream.write_many([b"x"], lambda: sent.append(1))
    stream.pause_reading()
    stream.come(b"last words")
    stream.ended(None)
    assert sent == [1], "nobody takes it any more"
    await turn()
    assert not stream.handler.lost
    stream.resume_reading()
    await turn()
    assert stream.handler.received == [b"last words"]
    assert stream.handler.lost == [None]


@in_virtual_time
async def test_writing_from_sent_does_not_descend(daemon):
    stream = Stream(daemon, credit=1 << 20)
    left = 5000

    def more():
        nonlocal left
        left -= 1
        if left:
            stream.write_many([b"x"], more)

    stream.write_many([b"x"], more)
    assert stream.sent == b"x" * 5000


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (SocketStatus(7, 1, 104, "reset"), OSError, "reset"),
        (SocketStatus(7, 1, 0, "TLS failed"), NetworkError, "TLS failed"),
    ],
)
def test_why_it_ended(status, kind, words):
    reason = end_reason(status)
    assert isinstance(reason, kind)
    assert words in str(reason)


def test_it_ended_in_order():
    assert end_reason(SocketStatus(7)) is None
