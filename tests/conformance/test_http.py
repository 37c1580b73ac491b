"""Both HTTP clients against the conformance suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from millstream.adapters.memory.http import MemoryHttp, MemoryWeb
from millstream.adapters.native.http import NativeHttp
from millstream.interfaces.http import HttpClient, HttpRequest, HttpResponse
from millstream.testing import in_virtual_time
from millstream.testing.conformance_http import HttpConformance, HttpSite, HttpUnderTest


@in_virtual_time
class TestMemoryHttp(HttpConformance):
    @asynccontextmanager
    async def open_http(self, site: HttpSite) -> AsyncIterator[HttpUnderTest]:
        async def forever(request: HttpRequest, client: str) -> HttpResponse:
            await asyncio.sleep(1e6)
            raise AssertionError

        def answer(request: HttpRequest, client: str) -> HttpResponse:
            path = "/" + request.url.split("/", 3)[3]
            return site(HttpRequest(url=path, headers=request.headers))

        network = MemoryWeb()
        network.serve("127.0.0.1", 80, answer, latency=0.001)
        network.serve("127.0.0.1", 81, forever)
        client = MemoryHttp(network)
        yield HttpUnderTest(
            client, "http://127.0.0.1:80", "http://127.0.0.1:81/x", "http://127.0.0.1:82/x"
        )
        await client.close()


@asynccontextmanager
async def served(site: HttpSite, client: HttpClient) -> AsyncIterator[HttpUnderTest]:
    """The site at a real port, for a client that is closed at the end."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = site(HttpRequest(url=request.raw_path, headers=request.headers))
        return web.Response(status=response.status, headers=response.headers, body=response.body)

    connected: list[asyncio.StreamWriter] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    silence = await asyncio.start_server(silent, "127.0.0.1", 0)
    silent_port = silence.sockets[0].getsockname()[1]
    dead = await asyncio.start_server(silent, "127.0.0.1", 0)
    dead_port = dead.sockets[0].getsockname()[1]
    dead.close()
    await dead.wait_closed()
    try:
        yield HttpUnderTest(
            client,
            f"http://127.0.0.1:{port}",
            f"http://127.0.0.1:{silent_port}/x",
            f"http://127.0.0.1:{dead_port}/x",
        )
    finally:
        await client.close()
        silence.close()
        for writer in connected:
            writer.transport.abort()
        await runner.cleanup()


class TestNativeHttp(HttpConformance):
    @asynccontextmanager
    async def open_http(self, site: HttpSite) -> AsyncIterator[HttpUnderTest]:
        async with served(site, NativeHttp("Millstream/test")) as under_test:
            yield under_test
