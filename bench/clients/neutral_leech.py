"""A fast leech that is neither client: pipelines requests and discards what comes, unhashed.

    python -m bench.clients.neutral_leech PORT INFO_HASH PIECE_LENGTH LENGTH LEECHES [CONTENT]

Each of LEECHES connections fetches the whole torrent, its pieces in an order of its own (as rarest
first does; the same order in every run), 500 blocks ahead as libtorrent asks by default. It reports
the seconds from connecting to the last block of the last connection. With CONTENT it also compares
all that comes with that file, which costs time: for a run that is not measured.
"""

from __future__ import annotations

import os
import random
import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bench.clients.runner_link import die_with_run, report

BLOCK = 16384
DEPTH = 500
RECEIVE = 1 << 18
HANDSHAKE = 68
CHOKE, UNCHOKE, PIECE_MESSAGE = 0, 1, 7
PIECE = struct.Struct(">IBII")
REQUEST = struct.Struct(">IBIII")


class Leech:
    """One connection that downloads everything."""

    def __init__(
        self,
        port: int,
        info_hash: bytes,
        piece_length: int,
        length: int,
        order: random.Random,
        content: BinaryIO | None,
    ) -> None:
        self.piece_length, self.length, self.content = piece_length, length, content
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests = self.all_requests(order)
        self.in_flight = 0
        self.blocks_left = -(-length // BLOCK)
        self.unchoked = False
        self.partial = b""  # the start of a message that is not all here yet
        self.skip = HANDSHAKE  # bytes of the handshake or of a message that are still to come
        self.in_block = False  # whether these are a block's
        peer_id = b"-NB0002-" + os.urandom(12)
        self.socket.sendall(
            b"\x13BitTorrent protocol" + bytes(8) + info_hash + peer_id
            + struct.pack(">IB", 1, 2)  # interested
        )  # fmt: skip

    def all_requests(self, order: random.Random) -> Iterator[bytes]:
        """Every request, packed. Whole pieces only, but for the last."""
        pieces = list(range(-(-self.length // self.piece_length)))
        order.shuffle(pieces)
        for index in pieces:
            piece_length = min(self.piece_length, self.length - index * self.piece_length)
            for begin in range(0, piece_length, BLOCK):
                yield REQUEST.pack(13, 6, index, begin, min(BLOCK, piece_length - begin))

    def top_up(self) -> None:
        """Fill the request queue, in batches of a quarter."""
        if self.unchoked and self.in_flight <= DEPTH * 3 // 4:
            wanted = [request for _, request in zip(range(DEPTH - self.in_flight), self.requests)]  # noqa: B905 - the shorter ends it
            self.in_flight += len(wanted)
            self.socket.sendall(b"".join(wanted))

    def receive(self, chunk: memoryview) -> None:
        """Walk over the messages of a chunk, keeping none."""
        if self.partial:
            chunk = memoryview(self.partial + bytes(chunk))
            self.partial = b""
        low, end = 0, len(chunk)
        while low < end:
            if self.skip:
                step = min(self.skip, end - low)
                if self.content is not None and self.in_block:
                    self.compare(chunk[low : low + step])
                low += step
                self.skip -= step
                if not self.skip and self.in_block:
                    self.in_block = False
                    self.in_flight -= 1
                    self.blocks_left -= 1
            elif end - low >= 13 and chunk[low + 4] == PIECE_MESSAGE:
                length, _, index, begin = PIECE.unpack_from(chunk, low)
                self.skip, self.in_block = length - 9, True
                low += 13
                if self.content is not None:
                    self.content.seek(index * self.piece_length + begin)
            elif end - low >= 4 and not (length := int.from_bytes(chunk[low : low + 4], "big")):
                low += 4  # keep-alive
            elif end - low >= 5 and chunk[low + 4] != PIECE_MESSAGE:
                self.take_control(chunk[low + 4])
                self.skip = length - 1
                low += 5
            else:
                self.partial = bytes(chunk[low:end])
                return

    def take_control(self, message: int) -> None:
        """A message that is not a block."""
        if message == UNCHOKE:
            self.unchoked = True
        elif message == CHOKE and self.unchoked:
            raise RuntimeError("choked in mid-download")

    def compare(self, part: memoryview) -> None:
        """Raise RuntimeError if the bytes differ from the content."""
        if self.content is not None and bytes(part) != self.content.read(len(part)):
            raise RuntimeError("the seeder sent something else than the content")


def main(
    port: str, info_hash: str, piece_length: str, length: str, leeches: str, *content: str
) -> None:
    die_with_run()
    selector = selectors.DefaultSelector()
    buffer = memoryview(bytearray(RECEIVE))
    start = time.perf_counter()
    for number in range(int(leeches)):
        leech = Leech(
            int(port),
            bytes.fromhex(info_hash),
            int(piece_length),
            int(length),
            random.Random(number),
            Path(content[0]).open("rb") if content else None,  # noqa: SIM115 - closed at exit
        )
        selector.register(leech.socket, selectors.EVENT_READ, leech)
    left = int(leeches)
    while left:
        for key, _ in selector.select():
            leech = key.data
            # A blocking socket that is readable returns what is there.
            received = leech.socket.recv_into(buffer)
            if not received:
                raise RuntimeError("the seeder closed the connection")
            leech.receive(buffer[:received])
            leech.top_up()
            if not leech.blocks_left:
                selector.unregister(leech.socket)
                left -= 1
    report(seconds=time.perf_counter() - start)


if __name__ == "__main__":
    main(*sys.argv[1:])
