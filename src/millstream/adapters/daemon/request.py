"""A question to the daemon, and its answer as a value."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from millstream.errors import MalformedFrameError, NetworkError
from millstream.io_wire.envelope import Frame

T = TypeVar("T")


class FutureRequest(Generic[T]):
    """Waits for one frame: `connection.Request`.

    Args:
        understand: makes the value of the frame, whose payload is borrowed; called when the frame
            comes, before any that follows it.

    Attributes:
        done: the value, or a NetworkError.
    """

    def __init__(self, understand: Callable[[Frame], T]) -> None:
        self._understand = understand
        self.done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    @property
    def value(self) -> T | None:
        """The value, if there is one already."""
        if not self.done.done() or self.done.cancelled() or self.done.exception() is not None:
            return None
        return self.done.result()

    def answered(self, frame: Frame) -> bool:
        """See `connection.Request`."""
        if self.done.done():  # nobody waits any more
            return True
        try:
            self.done.set_result(self._understand(frame))
        except MalformedFrameError as error:
            self.done.set_exception(NetworkError(f"the io-daemon's answer is none: {error}"))
        except NetworkError as error:
            self.done.set_exception(error)
        return True

    def failed(self, error: NetworkError) -> None:
        """See `connection.Request`."""
        if not self.done.done():
            self.done.set_exception(NetworkError(str(error)))
