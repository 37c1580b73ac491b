"""A fast seeder that is neither client: mmap slices through vectored sends, many ports, one thread.

    python -m bench.clients.neutral_seed CONTENT INFO_HASH PIECE_LENGTH LENGTH PORTS

It reports its ports and serves until its input closes. Every port is a peer of its own to a client,
and every connection has a fresh peer id. It answers all requests in order, ignores cancels, and
never chokes. mmap is right here and nowhere else: nobody truncates the bench's file.
"""

from __future__ import annotations

import mmap
import os
import selectors
import socket
import struct
import sys
from pathlib import Path

from bench.clients.runner_link import report

RECEIVE = 1 << 16
# Two buffers a block: 1 MiB of blocks in one call.
BUFFERS_PER_SEND = 128
REQUEST = struct.Struct(">IBIII")
PIECE = struct.Struct(">IBII")


class Content:
    """What is served."""

    def __init__(self, path: str, info_hash: bytes, piece_length: int, length: int) -> None:
        with Path(path).open("rb") as file:
            self.data = memoryview(mmap.mmap(file.fileno(), length, prot=mmap.PROT_READ))
        self.info_hash = info_hash
        self.piece_length = piece_length
        self.pieces = -(-length // piece_length)

    def greeting(self) -> bytes:
        """Handshake, bitfield and unchoke."""
        bits = ((1 << self.pieces) - 1) << (-self.pieces % 8)
        bitfield = bits.to_bytes(-(-self.pieces // 8), "big")
        peer_id = b"-NB0001-" + os.urandom(12)
        return (
            b"\x13BitTorrent protocol" + bytes(8) + self.info_hash + peer_id
            + struct.pack(">IB", 1 + len(bitfield), 5) + bitfield
            + struct.pack(">IB", 1, 1)
        )  # fmt: skip


class Peer:
    """One connection."""

    def __init__(
        self, selector: selectors.BaseSelector, connected: socket.socket, content: Content
    ) -> None:
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector, self.socket, self.content = selector, connected, content
        self.inbox = bytearray()
        self.outbox: list[bytes | memoryview] = []
        self.greeted = False
        self.events = selectors.EVENT_READ
        selector.register(connected, self.events, self.ready)

    def ready(self, events: int) -> None:
        """The socket can be read or written."""
        try:
            if events & selectors.EVENT_READ:
                self.read()
            self.send()
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.outbox else 0)
        if wanted != self.events:
            self.events = wanted
            self.selector.modify(self.socket, wanted, self.ready)

    def read(self) -> None:
        """Queue answers to what came. Raises OSError to end the connection."""
        data = self.socket.recv(RECEIVE)
        if not data:
            raise ConnectionResetError
        inbox, outbox, content = self.inbox, self.outbox, self.content
        inbox += data
        low, end = 0, len(inbox)
        if not self.greeted:
            if end < 68:
                return
            if inbox[28:48] != content.info_hash:
                raise ConnectionResetError
            self.greeted, low = True, 68
            outbox.append(content.greeting())
        while end - low >= 4:
            if end - low >= 17 and inbox[low + 4] == 6:
                _, _, index, begin, length = REQUEST.unpack_from(inbox, low)
                low += 17
                offset = index * content.piece_length + begin
                outbox.append(PIECE.pack(9 + length, 7, index, begin))
                outbox.append(content.data[offset : offset + length])
            else:
                stop = low + 4 + int.from_bytes(inbox[low : low + 4], "big")
                if stop > end:
                    break
                low = stop
        del inbox[:low]

    def send(self) -> None:
        """Send what the kernel takes. Raises BlockingIOError when it takes no more."""
        outbox = self.outbox
        while outbox:
            batch = outbox[:BUFFERS_PER_SEND]
            sent = self.socket.sendmsg(batch)
            whole = 0
            for part in batch:
                if sent < len(part):
                    break
                sent -= len(part)
                whole += 1
            del outbox[:whole]
            if sent:
                outbox[0] = memoryview(outbox[0])[sent:]
            if whole < len(batch):
                return

    def close(self) -> None:
        """Forget the connection."""
        self.selector.unregister(self.socket)
        self.socket.close()
        self.outbox.clear()


def main(path: str, info_hash: str, piece_length: str, length: str, ports: str) -> None:
    content = Content(path, bytes.fromhex(info_hash), int(piece_length), int(length))
    selector = selectors.DefaultSelector()
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(ports))]
    for listener in listeners:
        listener.setblocking(False)

        def accept(_events: int, listener: socket.socket = listener) -> None:
            Peer(selector, listener.accept()[0], content)

        selector.register(listener, selectors.EVENT_READ, accept)
    selector.register(sys.stdin, selectors.EVENT_READ, lambda _events: sys.exit())
    report(ports=[listener.getsockname()[1] for listener in listeners])
    while True:
        for key, events in selector.select():
            key.data(events)


if __name__ == "__main__":
    main(*sys.argv[1:])
