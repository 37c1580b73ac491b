"""A client's end of a WebSocket taken apart (RFC 6455, section 5): bytes come in, messages go out.

Where bytes are received to is said here, so that a long message is never copied: it is received into the
memory that its reader keeps. It does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable

from millstream.errors import ProtocolError
from millstream.io_wire.web_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FINAL,
    MASKED,
    MAX_CONTROL_LENGTH,
    PING,
    PONG,
    PROTOCOL_ERROR,
    RESERVED,
    TEXT,
    TOO_BIG,
    UNSUPPORTED,
    read_length,
)

# Received at once; a message of up to `LENT_LENGTH` is read where it lies in it.
RECEIVE_BUFFER_LENGTH = 256 << 10
LENT_LENGTH = 64 << 10

# Memory of long messages is made in this length and its doubles: a double of 64 KiB, as long as pieces are,
# and what is around it. So many bytes are kept for those that follow.
LEAST_MEMORY = 68 << 10
MAX_SPARE = 12 << 20

# A mask's bytes, and how many are unmasked together.
_MASK_LENGTH = 4
_MASK_STEP = 16 << 10


class RefusedFrameError(ProtocolError):
    """A frame that is none, or that is not taken here.

    Attributes:
        code: what the client is told.
    """

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class Memory:
    """What a long message lies in; it is used again when nobody holds it any more.

    Args:
        view: all of it.
        spare: where it goes then.

    Attributes:
        view: see above.
    """

    __slots__ = ("_holders", "_spare", "view")

    def __init__(self, view: memoryview, spare: SpareMemory | None = None) -> None:
        self.view = view
        self._spare = spare
        self._holders = 0

    def hold(self) -> None:
        """Keep what is in it."""
        self._holders += 1

    def let_go(self) -> None:
        """What is in it is not needed any more, by one of those who held it."""
        self._holders -= 1
        if not self._holders and self._spare is not None:
            self._spare.put(self)


class SpareMemory:
    """Memory that was used: new one is made by the kernel page by page, which costs more than filling it.

    Attributes:
        length: bytes of all that is spare.
    """

    def __init__(self) -> None:
        self.length = 0
        self._by_length: dict[int, list[Memory]] = {}

    def take(self, length: int) -> Memory:
        """Memory that is long enough, that which was used last if there is any."""
        whole = LEAST_MEMORY
        while whole < length:
            whole *= 2
        if whole > MAX_SPARE:
            return Memory(memoryview(bytearray(length)))
        spare = self._by_length.get(whole)
        if not spare:
            return Memory(memoryview(bytearray(whole)), self)
        self.length -= whole
        return spare.pop()

    def put(self, memory: Memory) -> None:
        """Keep it, if there is not enough already."""
        length = len(memory.view)
        if self.length + length <= MAX_SPARE:
            self.length += length
            self._by_length.setdefault(length, []).append(memory)


class MessageReader:
    """One connection's.

    Args:
        take: takes BINARY messages, and CLOSE, PING and PONG: the opcode, the payload, which is
            borrowed, and its memory if that can be held.
        max_message: bytes of the longest message that is taken.

    Attributes:
        max_message: see above.
        is_paused: nothing is taken while this holds; then `read`.
    """

    def __init__(
        self, take: Callable[[int, memoryview, Memory | None], None], max_message: int
    ) -> None:
        self.max_message = max_message
        self.is_paused = False
        self._take = take
        self._buffer = memoryview(bytearray(RECEIVE_BUFFER_LENGTH))
        self._begin = self._end = 0  # of what was not read yet
        self._spare = SpareMemory()
        self._long: memoryview | None = None  # a frame that is received into memory of its own
        self._memory: Memory | None = None  # that
        self._filled = 0
        self._mask = bytes(4)  # of that one
        self._is_long_final = True
        self._fragments: bytearray | None = None  # of a message whose end has not come

    def room(self) -> memoryview:
        """Where to receive to; never empty."""
        return self._buffer[self._end :] if self._long is None else self._long[self._filled :]

    def filled(self, length: int) -> None:
        """So many bytes were received there. Raises RefusedFrameError."""
        long = self._long
        if long is None:
            self._end += length
            self.read()
            return
        self._filled += length
        if self._filled == len(long):
            self._long = None
            self._take_long(long, self._mask, is_final=self._is_long_final)

    def read(self) -> None:
        """Take what is whole. Raises RefusedFrameError."""
        buffer = self._buffer
        while not self.is_paused and self._long is None:
            found = read_length(buffer, self._begin, self._end)
            if found is None or found[0] + _MASK_LENGTH > self._end:
                break
            at_mask, length = found
            first, second = buffer[self._begin], buffer[self._begin + 1]
            self._check(first, second, length)
            begin = at_mask + _MASK_LENGTH
            mask = bytes(buffer[at_mask:begin])
            opcode, is_final = first & 0x0F, bool(first & FINAL)
            if length > LENT_LENGTH:
                self._begin_long(length, begin, mask, is_final=is_final)
                continue
            if self._end - begin < length:
                break
            self._begin = begin + length
            payload = buffer[begin : self._begin]
            if opcode >= CLOSE:
                unmask(payload, mask)
                self._take(opcode, payload, None)
            else:
                self._take_data(payload, mask, None, is_final=is_final)
        self._make_room()

    def _check(self, first: int, second: int, length: int) -> None:
        opcode = first & 0x0F
        if opcode == TEXT:
            raise RefusedFrameError(UNSUPPORTED, "messages are binary")
        if opcode >= CLOSE and (length > MAX_CONTROL_LENGTH or not first & FINAL):
            raise RefusedFrameError(PROTOCOL_ERROR, "a control frame is long, or comes in parts")
        goes_on = self._fragments is not None
        if (
            opcode not in {CONTINUATION, BINARY, CLOSE, PING, PONG}
            or first & RESERVED
            or not second & MASKED
            or (opcode < CLOSE and goes_on != (opcode == CONTINUATION))
        ):
            why = f"a frame must not begin with {first:#04x} {second:#04x} here"
            raise RefusedFrameError(PROTOCOL_ERROR, why)
        if opcode < CLOSE and length + len(self._fragments or b"") > self.max_message:
            raise RefusedFrameError(TOO_BIG, f"a message has over {self.max_message} bytes")

    def _begin_long(self, length: int, begin: int, mask: bytes, *, is_final: bool) -> None:
        """A long frame has memory of its own: what came of it is copied, the rest goes there."""
        self._memory = self._spare.take(length)
        long = self._memory.view[:length]
        there = min(length, self._end - begin)
        long[:there] = self._buffer[begin : begin + there]
        self._begin = begin + there
        if there == length:
            self._take_long(long, mask, is_final=is_final)
        else:
            self._long, self._filled, self._mask, self._is_long_final = long, there, mask, is_final

    def _take_long(self, long: memoryview, mask: bytes, *, is_final: bool) -> None:
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.hold()
        self._take_data(long, mask, memory, is_final=is_final)
        if memory is not None:
            memory.let_go()

    def _make_room(self) -> None:
        """What has begun, and is not long, must fit in wholly."""
        begin, end = self._begin, self._end
        if begin == end:
            self._begin = self._end = 0
        elif begin > RECEIVE_BUFFER_LENGTH - LENT_LENGTH - 16 or end == RECEIVE_BUFFER_LENGTH:
            self._buffer[: end - begin] = bytes(self._buffer[begin:end])
            self._begin, self._end = 0, end - begin

    def _take_data(
        self, payload: memoryview, mask: bytes, memory: Memory | None, *, is_final: bool
    ) -> None:
        unmask(payload, mask)
        if self._fragments is None and is_final:
            self._take(BINARY, payload, memory)
            return
        fragments = bytearray() if self._fragments is None else self._fragments
        fragments += payload
        self._fragments = None if is_final else fragments
        if is_final:
            self._take(BINARY, memoryview(fragments), Memory(memoryview(fragments)))


def unmask(payload: memoryview, mask: bytes) -> None:
    """Undo a client's mask, in place. Our own client's is zero."""
    if mask == bytes(4):
        return
    key = int.from_bytes(mask * (_MASK_STEP // 4), "little")
    for at in range(0, len(payload), _MASK_STEP):
        part = payload[at : at + _MASK_STEP]
        length = len(part)
        if length < _MASK_STEP:
            key = int.from_bytes((mask * (length // 4 + 1))[:length], "little")
        part[:] = (int.from_bytes(part, "little") ^ key).to_bytes(length, "little")
