from __future__ import annotations

import asyncio

import pytest

from millstream.adapters.memory.http import MemoryHttp, MemoryWeb
from millstream.errors import HttpError
from millstream.interfaces.http import HttpRequest, HttpResponse
from millstream.testing import run_virtual


def hello(request: HttpRequest, client: str) -> HttpResponse:
    return HttpResponse(200, {"X-Client": client}, request.url.encode())


def test_the_handler_sees_url_and_client_and_latency_counts_both_ways():
    async def main() -> None:
        web = MemoryWeb()
        web.serve("t.example", 80, hello, latency=0.25)
        client = MemoryHttp(web, "203.0.113.5")
        response = await client.get(HttpRequest(url="http://T.example/announce?x=1"))
        assert response.headers == {"x-client": "203.0.113.5"}
        assert response.body == b"http://T.example/announce?x=1"
        assert asyncio.get_running_loop().time() == 0.5

    run_virtual(main())


def test_a_handler_may_wait():
    async def main() -> None:
        async def slow(request: HttpRequest, client: str) -> HttpResponse:
            await asyncio.sleep(100)
            return HttpResponse(200, {})

        web = MemoryWeb()
        web.serve("t.example", 443, slow)
        client = MemoryHttp(web)
        with pytest.raises(HttpError, match="no whole answer within 99 s"):
            await client.get(HttpRequest(url="https://t.example/", timeout=99))
        response = await client.get(HttpRequest(url="https://t.example/", timeout=101))
        assert response.status == 200

    run_virtual(main())


@pytest.mark.parametrize(
    ("addresses", "allow_local", "family", "error"),
    [
        ((), False, None, None),
        (("1.1.1.1", "10.0.0.1"), False, 4, None),
        (("10.0.0.1",), False, 4, "a private address"),
        (("10.0.0.1",), True, 4, None),
        (("2606:4700::1",), True, 4, "has no IPv4 address"),
        (("1.1.1.1",), True, 6, "unreachable"),
    ],
)
def test_addresses_decide(addresses, allow_local, family, error):
    async def main() -> None:
        web = MemoryWeb()
        web.serve("t.example", 80, hello, addresses=addresses)
        request = HttpRequest(url="http://t.example/", allow_local=allow_local, family=family)
        client = MemoryHttp(web, "203.0.113.5")
        if error is None:
            assert (await client.get(request)).status == 200
        else:
            with pytest.raises(HttpError, match=error):
                await client.get(request)

    run_virtual(main())


def test_a_redirect_to_a_local_host_is_refused():
    async def main() -> None:
        web = MemoryWeb()
        web.serve("t.example", 80, lambda *_: HttpResponse(302, {"Location": "http://127.0.0.1/"}))
        web.serve("127.0.0.1", 80, hello)
        request = HttpRequest(url="http://t.example/", allow_local=False)
        with pytest.raises(HttpError, match="a loopback address"):
            await MemoryHttp(web).get(request)

    run_virtual(main())


def test_a_server_can_go():
    async def main() -> None:
        web = MemoryWeb()
        web.serve("t.example", 80, hello)
        web.remove("t.example", 80)
        with pytest.raises(HttpError, match=r"t\.example: connection refused"):
            await MemoryHttp(web).get(HttpRequest(url="http://t.example/"))

    run_virtual(main())
