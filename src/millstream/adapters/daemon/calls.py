"""What is rare is asked of the daemon by name, with fields, as JSON (`io_wire.calls`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from millstream.adapters.daemon.connection import DaemonConnection
from millstream.adapters.daemon.request import FutureRequest
from millstream.errors import MalformedFrameError, NetworkError
from millstream.io_wire.calls import encode_call, parse_call
from millstream.io_wire.envelope import Frame, Opcode

# {"progress":...} with a number of 64 bits.
_MAX_PROGRESS_LENGTH = 64

Json = dict[str, Any]
Progress = Callable[[int], None]


class RefusedCallError(NetworkError):
    """The daemon did not do what it was asked.

    Attributes:
        answer: all that it said.
    """

    def __init__(self, answer: Json) -> None:
        super().__init__(str(answer.get("message") or answer.get("error") or "it did not say why"))
        self.answer = answer

    @property
    def path(self) -> str:
        """The file that is concerned, as `token/path`; empty if none is."""
        return str(self.answer.get("path") or "")

    @property
    def errno(self) -> int | None:
        """The system's number, if it gave one."""
        number = self.answer.get("errno")
        return number if isinstance(number, int) and number else None


class DaemonCalls:
    """Asks.

    Args:
        daemon: the connection to it.
    """

    def __init__(self, daemon: DaemonConnection) -> None:
        self._daemon = daemon

    async def call(self, op: str, /, progress: Progress | None = None, **fields: Any) -> Json:
        """Have something done.

        Args:
            op: what.
            progress: told of numbers on the way.
            fields: with what.

        Returns:
            What the daemon answered.

        Raises:
            RefusedCallError: it did not do it.
            NetworkError: it is away, or went away before it answered.
        """
        await self._daemon.ready()
        request = _Call(progress)
        payload = encode_call({"op": op, **fields})
        number = self._daemon.ask(request, Opcode.CALL, [payload])
        try:
            answer = await asyncio.shield(request.done)
        except asyncio.CancelledError:
            await self._cancel(number, request)
            raise
        if not answer.get("ok"):
            raise RefusedCallError(answer)
        return answer

    def tell(self, op: str, /, **fields: Any) -> None:
        """Have something done before all that is asked later; whether it was, nobody hears."""
        self._daemon.put(Opcode.CALL, encode_call({"op": op, **fields}))

    async def _cancel(self, number: int, request: _Call) -> None:
        """Let the call end, and wait until it has, as it may have hold of something."""
        self.tell("cancel", request=number)
        await asyncio.wait([request.done])
        if not request.done.cancelled():
            request.done.exception()  # looked at


class _Call(FutureRequest[Json]):
    """Waits for the last ANSWER."""

    def __init__(self, progress: Progress | None) -> None:
        super().__init__(lambda frame: parse_call(frame.payload))
        self._progress = progress

    def answered(self, frame: Frame) -> bool:
        """See `connection.Request`."""
        moved = _progress(frame.payload)
        if moved is None:
            return super().answered(frame)
        if self._progress is not None:
            self._progress(moved)
        return False


def _progress(payload: memoryview) -> int | None:
    """How far it is, if that is all that is said."""
    if len(payload) >= _MAX_PROGRESS_LENGTH:
        return None
    try:
        said = parse_call(payload)
    except MalformedFrameError:
        return None
    moved = said.get("progress")
    return moved if "ok" not in said and isinstance(moved, int) else None
