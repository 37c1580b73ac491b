"""A long way to a server on this machine: every byte is late, in both directions, and none is held up.

    python -m bench.clients.slow_way PORT SECONDS

It reports the port from which the way begins, and serves until its input closes. SECONDS is the time that
a byte takes in one direction. There is no limit on how much is on its way.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from collections import deque
from functools import partial

from bench.clients.runner_link import report

RECEIVE = 1 << 20
# After which one that took no more is asked again.
RETRY_SECONDS = 0.0005


class Direction:
    """What goes from one socket to another, both non-blocking.

    Args:
        source: where it comes from.
        target: where it goes.
        seconds: how late it is.

    Attributes:
        is_over: whether the end was passed on, or there is nobody any more.
    """

    def __init__(self, source: socket.socket, target: socket.socket, seconds: float) -> None:
        self.is_over = False
        self._source, self._target, self._seconds = source, target, seconds
        self._late: deque[tuple[float, memoryview]] = deque()

    def receive(self) -> bool:
        """Take what there is; whether there may be more later."""
        try:
            data = self._source.recv(RECEIVE)
        except OSError:
            data = b""
        self._late.append((time.monotonic() + self._seconds, memoryview(data)))
        return bool(data)

    def pass_on(self, now: float) -> float | None:
        """Send what has been on its way for long enough; when to come back, if something waits."""
        try:
            while self._late:
                due, data = self._late[0]
                if due > now:
                    return due
                if not data:
                    self.is_over = True
                    self._target.shutdown(socket.SHUT_WR)
                    return None
                self._late[0] = due, data[self._target.send(data) :]
                if not self._late[0][1]:
                    self._late.popleft()
        except BlockingIOError:
            return now + RETRY_SECONDS
        except OSError:
            self.is_over = True
            self._late.clear()
        return None


def serve(port: int, seconds: float) -> None:
    """Join each connection to one at the port."""
    selector = selectors.DefaultSelector()
    directions: list[Direction] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", port))
        for source, target in ((near, far), (far, near)):
            source.setblocking(False)
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            direction = Direction(source, target, seconds)
            directions.append(direction)
            selector.register(source, selectors.EVENT_READ, partial(receive, source, direction))

    def receive(source: socket.socket, direction: Direction) -> None:
        if not direction.receive():
            selector.unregister(source)

    selector.register(listener, selectors.EVENT_READ, accept)
    selector.register(sys.stdin, selectors.EVENT_READ, sys.exit)
    report(port=listener.getsockname()[1])
    while True:
        now = time.monotonic()
        next_due = [due for each in directions if (due := each.pass_on(now)) is not None]
        directions[:] = [each for each in directions if not each.is_over]
        wait = max(0.0, min(next_due) - time.monotonic()) if next_due else None
        for key, _ in selector.select(wait):
            key.data()


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]))
