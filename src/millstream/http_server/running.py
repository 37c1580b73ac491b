"""A server put to its sockets."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from aiohttp import web

from millstream.http_server.bounded import BoundedServer


async def run_server(
    server: BoundedServer, sockets: Sequence[socket.socket], shutdown_time: float
) -> web.ServerRunner:
    """Accept connections from now on.

    Args:
        server: answers.
        sockets: where; they listen already. They are closed if this fails.
        shutdown_time: seconds that requests in progress have at the end.

    Returns:
        What runs it: `cleanup` ends it, and closes the sockets.
    """
    runner = web.ServerRunner(server, shutdown_timeout=shutdown_time)
    try:
        await runner.setup()
        for opened in sockets:
            await web.SockSite(runner, opened).start()
    except BaseException:
        await runner.cleanup()
        for opened in sockets:
            opened.close()
        raise
    return runner
