"""The wire decoder: bytes in any split, to calls on a receiver (BEP 3, BEP 6, BEP 10).

Theory of operation. A connection's bytes arrive in chunks that are only borrowed. The decoder
walks a whole chunk in one loop and calls the receiver once for each message; a block's payload is
handed on as a view into the chunk, so the receiver's copy into the piece is the only one. What is
left at the end, less than one message, is kept and completed from the next chunk.

A message's length is checked against its kind before anything is kept, so a peer cannot make us
hold more than `MAX_MESSAGE_LENGTH` (or the bitfield's size) and 4 bytes.
"""

from __future__ import annotations

import struct
from typing import Protocol

from millstream.errors import RemoteProtocolError
from millstream.protocol.messages import MessageId

# No message but a bitfield is longer than a block and its header. Libtorrent refuses packets over
# 1 MiB and blocks over its buffer size; Transmission and rain refuse blocks over 16 KiB. We only
# ever ask for blocks of 16 KiB, so a longer one is unrequested whatever it holds. The room beyond
# is for extended messages: metadata comes 16 KiB at a time behind a dictionary (BEP 9), a first PEX
# message holds some hundreds of addresses (BEP 11). Libtorrent sends neither longer than this.
MAX_MESSAGE_LENGTH = 32 * 1024

_PIECE_HEADER = struct.Struct(">IBII").unpack_from
_THREE = struct.Struct(">III").unpack_from
_TWO = struct.Struct(">II").unpack_from
_ONE = struct.Struct(">I").unpack_from
_PIECE = int(MessageId.PIECE)
_REQUEST = int(MessageId.REQUEST)

# Exact payload lengths, the id byte included.
_LENGTHS: dict[int, int] = {
    MessageId.CHOKE: 1,
    MessageId.UNCHOKE: 1,
    MessageId.INTERESTED: 1,
    MessageId.NOT_INTERESTED: 1,
    MessageId.HAVE: 5,
    MessageId.REQUEST: 13,
    MessageId.CANCEL: 13,
    MessageId.SUGGEST_PIECE: 5,
    MessageId.HAVE_ALL: 1,
    MessageId.HAVE_NONE: 1,
    MessageId.REJECT_REQUEST: 13,
    MessageId.ALLOWED_FAST: 5,
}

# The least of those whose length varies: a piece has its header, an extended message its own id.
_LEAST: dict[int, int] = {MessageId.PIECE: 9, MessageId.EXTENDED: 2}


class MessageReceiver(Protocol):
    """What a connection does with each message. Views are borrowed until return.

    A receiver may raise RemoteProtocolError; it passes through the decoder to the connection.
    """

    def receive_choke(self) -> None:
        """The peer will not answer requests now."""

    def receive_unchoke(self) -> None:
        """The peer will answer requests."""

    def receive_interested(self) -> None:
        """The peer wants pieces that we have."""

    def receive_not_interested(self) -> None:
        """The peer wants nothing that we have."""

    def receive_have(self, index: int) -> None:
        """The peer got a piece."""

    def receive_bitfield(self, payload: memoryview) -> None:
        """The pieces the peer has."""

    def receive_request(self, index: int, begin: int, length: int) -> None:
        """The peer asks for a block."""

    def receive_block(self, index: int, begin: int, block: memoryview) -> None:
        """A block came: the `piece` message."""

    def receive_cancel(self, index: int, begin: int, length: int) -> None:
        """The peer withdraws a request."""

    def receive_suggest_piece(self, index: int) -> None:
        """BEP 6."""

    def receive_have_all(self) -> None:
        """BEP 6."""

    def receive_have_none(self) -> None:
        """BEP 6."""

    def receive_reject(self, index: int, begin: int, length: int) -> None:
        """BEP 6: a request will not be answered."""

    def receive_allowed_fast(self, index: int) -> None:
        """BEP 6: this piece may be requested while choked."""

    def receive_extended(self, extension: int, payload: memoryview) -> None:
        """BEP 10: a message of an extension, by the id that we gave it; 0 is the handshake."""


class WireDecoder:
    """Decodes what follows the handshake.

    Args:
        max_bitfield_length: the longest bitfield payload that makes sense for the torrent, bytes.
    """

    __slots__ = ("_kept", "_max_length")

    def __init__(self, max_bitfield_length: int) -> None:
        self._kept = bytearray()
        self._max_length = max(MAX_MESSAGE_LENGTH, 1 + max_bitfield_length)

    def receive(self, view: memoryview, receiver: MessageReceiver) -> None:
        """Take a chunk and call the receiver for every message that it completes.

        Raises RemoteProtocolError for what the protocol forbids; the connection is then of no
        further use. Incomplete messages are waited for in silence.
        """
        low, end = 0, len(view)
        if self._kept:
            low = self._complete_kept(view, receiver)
        receive_block, receive_request = receiver.receive_block, receiver.receive_request
        last_header = end - 13
        while end - low >= 4:
            if low <= last_header:  # most messages by far are blocks, or requests on a seed
                length, kind, index, begin = _PIECE_HEADER(view, low)
                stop = low + 4 + length
                if kind == _PIECE and stop <= end and 9 <= length <= MAX_MESSAGE_LENGTH:
                    receive_block(index, begin, view[low + 13 : stop])
                    low = stop
                    continue
                if kind == _REQUEST and stop <= end and length == 13:
                    (block_length,) = _ONE(view, low + 13)
                    receive_request(index, begin, block_length)
                    low = stop
                    continue
            (length,) = _ONE(view, low)
            stop = low + 4 + length
            if length:
                if end - low == 4:
                    if length > self._max_length:
                        raise RemoteProtocolError(f"message of {length} bytes")
                    break
                self._check_length(view[low + 4], length)
                if stop > end:
                    break
                self._dispatch(view, low + 4, stop, receiver)
            low = stop
        if low < end:
            self._kept += view[low:end]

    def _complete_kept(self, view: memoryview, receiver: MessageReceiver) -> int:
        """Finish the message begun in earlier chunks; returns how much of the chunk that took."""
        kept, taken = self._kept, 0
        if len(kept) < 5:
            taken = min(5 - len(kept), len(view))
            kept += view[:taken]
        if len(kept) < 4:
            return taken
        length = int.from_bytes(kept[:4], "big")
        if length > self._max_length:
            raise RemoteProtocolError(f"message of {length} bytes")
        if length == 0:  # a keep-alive; a fifth byte belongs to the next message
            surplus = len(kept) - 4
            kept.clear()
            return taken - surplus
        if len(kept) < 5:
            return taken
        self._check_length(kept[4], length)
        more = min(4 + length - len(kept), len(view) - taken)
        kept += view[taken : taken + more]
        if len(kept) == 4 + length:
            self._kept = bytearray()
            with memoryview(kept) as message:
                self._dispatch(message, 4, 4 + length, receiver)
        return taken + more

    def _check_length(self, kind: int, length: int) -> None:
        expected = _LENGTHS.get(kind)
        if expected is None:
            longest = MAX_MESSAGE_LENGTH if kind != MessageId.BITFIELD else self._max_length
            if not _LEAST.get(kind, 1) <= length <= longest:
                raise RemoteProtocolError(f"message of kind {kind} with {length} bytes")
        elif length != expected:
            raise RemoteProtocolError(f"message of kind {kind} with {length} bytes, not {expected}")

    def _dispatch(self, view: memoryview, at: int, stop: int, receiver: MessageReceiver) -> None:
        kind = view[at]
        if kind == _REQUEST:
            receiver.receive_request(*_THREE(view, at + 1))
        elif kind == _PIECE:
            index, begin = _TWO(view, at + 1)
            receiver.receive_block(index, begin, view[at + 9 : stop])
        elif kind == MessageId.HAVE:
            receiver.receive_have(*_ONE(view, at + 1))
        elif kind == MessageId.CANCEL:
            receiver.receive_cancel(*_THREE(view, at + 1))
        elif kind == MessageId.REJECT_REQUEST:
            receiver.receive_reject(*_THREE(view, at + 1))
        elif kind == MessageId.UNCHOKE:
            receiver.receive_unchoke()
        elif kind == MessageId.CHOKE:
            receiver.receive_choke()
        elif kind == MessageId.INTERESTED:
            receiver.receive_interested()
        elif kind == MessageId.NOT_INTERESTED:
            receiver.receive_not_interested()
        elif kind == MessageId.BITFIELD:
            receiver.receive_bitfield(view[at + 1 : stop])
        elif kind == MessageId.HAVE_ALL:
            receiver.receive_have_all()
        elif kind == MessageId.HAVE_NONE:
            receiver.receive_have_none()
        elif kind == MessageId.SUGGEST_PIECE:
            receiver.receive_suggest_piece(*_ONE(view, at + 1))
        elif kind == MessageId.ALLOWED_FAST:
            receiver.receive_allowed_fast(*_ONE(view, at + 1))
        elif kind == MessageId.EXTENDED:
            receiver.receive_extended(view[at + 1], view[at + 2 : stop])
        # Anything else is of no use to us, like the port of a DHT node (BEP 5), or unknown; skipped.
