"""A daemon that does nothing by itself: tests say what it answers."""

from __future__ import annotations

import pytest

from millstream.errors import NetworkError
from millstream.io_wire.envelope import Frame
from millstream.io_wire.handshake import Feature, Hello

HELLO = Hello(Feature.PACKED | Feature.CREDIT, 2 << 20, 1000, 1000)


class FakeDaemon:
    """In place of `connection.DaemonConnection`; in `asked` is what was not answered yet."""

    def __init__(self):
        self.hello = HELLO
        self.is_up = True
        self.patience = 10.0
        self.socket_window = 1000
        self.round_trip = 0.0
        self.unsent_bytes = 0
        self.why = NetworkError("the io-daemon is away")
        self.puts = []
        self.asked = []
        self.handlers = {}
        self.observers = []
        self.is_closed = False
        self.is_opened = False

    def handle(self, opcode, handler):
        self.handlers[opcode] = handler

    def observe(self, observer):
        self.observers.append(observer)

    def open(self):
        self.is_opened = True

    async def ready(self):
        if not self.is_up:
            raise NetworkError(str(self.why))

    def put(self, opcode, *payload):
        if self.is_up:
            self.puts.append((opcode, b"".join(payload)))

    put_long = put

    def ask(self, request, opcode, payload, *, long=False):
        if not self.is_up:
            raise NetworkError(str(self.why))
        self.asked.append((request, opcode, b"".join(payload)))
        return len(self.asked)

    async def close(self):
        self.is_closed = True

    # For tests.

    def tell(self, opcode, payload):
        """A frame that answers nobody."""
        self.handlers[opcode](Frame(1, opcode, 0, memoryview(bytearray(payload))))

    def answer(self, opcode, payload, index=0):
        """Answer something that was asked."""
        request, _, _ = self.asked[index]
        if request.answered(Frame(1, opcode, 1, memoryview(bytearray(payload)))):
            del self.asked[index]

    def refuse(self, why, index=0):
        request, _, _ = self.asked.pop(index)
        request.failed(NetworkError(why))

    def go(self):
        self.is_up = False
        asked, self.asked = self.asked, []
        for request, _, _ in asked:
            request.failed(self.why)
        for observer in self.observers:
            observer.daemon_lost(self.why)

    def come(self):
        self.is_up = True
        for observer in self.observers:
            observer.daemon_found()


@pytest.fixture
def daemon():
    return FakeDaemon()
