from __future__ import annotations

import asyncio
import logging

from aiohttp import web
from aiohttp.http import HttpProcessingError

from millstream.http_server.bounded import BoundedServer
from millstream.testing.virtual_time import run_virtual


class Transport:
    def __init__(self):
        self.aborted = False

    def abort(self):
        self.aborted = True


class Handler:
    """As much of aiohttp's RequestHandler as the server looks at."""

    _task_handler = None


async def answer(request):
    return web.Response()


def server(*, only_until_request=False):
    return BoundedServer(
        answer,
        logging.getLogger("test.http_server"),
        max_connections=2,
        connection_time=10.0,
        only_until_request=only_until_request,
        keep_alive_time=5.0,
        lingering_time=0.0,
        max_header_length=1000,
    )


def test_one_connection_too_many_is_closed_and_room_is_made_by_one_that_goes():
    async def story():
        bounded, transports = server(), [Transport() for _ in range(4)]
        handlers = [Handler() for _ in transports]
        for handler, transport in zip(handlers[:3], transports, strict=False):
            bounded.connection_made(handler, transport)
        bounded.connection_lost(handlers[0])
        bounded.connection_made(handlers[3], transports[3])
        return [transport.aborted for transport in transports]

    assert run_virtual(story()) == [False, False, True, False]


def test_a_connection_has_its_time():
    async def story():
        bounded, transport = server(), Transport()
        bounded.connection_made(Handler(), transport)
        await asyncio.sleep(9.9)
        before = transport.aborted
        await asyncio.sleep(0.2)
        return before, transport.aborted

    assert run_virtual(story()) == (False, True)


def test_the_time_may_end_with_the_first_request():
    class Request:
        protocol = Handler()

    async def story():
        bounded, transport = server(only_until_request=True), Transport()
        bounded.connection_made(Request.protocol, transport)
        response = await bounded.request_handler(Request)
        await asyncio.sleep(100)
        return response.status, transport.aborted

    assert run_virtual(story()) == (200, False)


def test_what_clients_send_wrong_is_no_news():
    async def story():
        server()

    run_virtual(story())
    log = logging.getLogger("test.http_server")

    def record(error):
        return logging.LogRecord(
            log.name, logging.ERROR, "", 0, "", None, (type(error), error, None)
        )

    assert not log.filter(record(HttpProcessingError(code=400)))
    assert log.filter(record(ValueError()))
