"""What tests/conformance cannot show: TLS, names, and servers that answer in strange ways."""

from __future__ import annotations

import asyncio
import random

import pytest

from millstream.adapters.daemon.http import MAX_INTERIM_ANSWERS, DaemonHttp
from millstream.adapters.memory import MemoryNetwork
from millstream.errors import HttpError, NetworkError
from millstream.interfaces.http import HttpRequest
from millstream.protocol.compact import PeerAddress
from millstream.testing import run_virtual


class Server:
    """Answers with bytes, whatever it is asked, and closes."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def accept(self, connection):
        server = self

        class Handler:
            def data_received(self, view):
                server.asked.append(bytes(view))
                if server.answer is not None:
                    connection.write(server.answer)
                    connection.close()

            def output_drained(self):
                pass

            def connection_lost(self, reason):
                pass

        return Handler()


class Web:
    """A client, and a server at 1.2.3.4 that is called `a.example`."""

    def __init__(self, answer=b""):
        network = MemoryNetwork(random.Random(0))
        self.host = network.host("5.6.7.8")
        self.elsewhere = network.host("1.2.3.4")
        network.register("a.example", "2001:db8::1", "1.2.3.4")
        network.register("local.example", "127.0.0.1")
        self.server = Server(answer)
        self.secured = []
        self.tls_failure = None
        self.client = DaemonHttp(self, "Millstream/test")

    async def get(self, url="http://a.example/", **fields):
        for port in (80, 443):
            await self.elsewhere.listen(PeerAddress("1.2.3.4", port), self.server.accept)
        return await self.client.get(HttpRequest(url=url, **fields))

    async def connect(self, address, make_handler):
        return await self.host.connect(address, make_handler)

    async def resolve(self, host):
        return await self.host.resolve(host)

    async def secure(self, stream, host):
        self.secured.append(host)
        if self.tls_failure is not None:
            raise self.tls_failure


def test_a_name_with_several_addresses():
    web = Web(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    response = run_virtual(web.get())
    assert (response.status, response.body) == (200, b"hi")
    request = web.server.asked[0].decode()
    assert "Host: a.example\r\n" in request
    assert "User-Agent: Millstream/test\r\n" in request
    assert "Connection: close\r\n" in request
    assert not web.secured


def test_tls():
    web = Web(b"HTTP/1.1 200 OK\r\n\r\nsafe")
    assert run_virtual(web.get("https://a.example/x")).body == b"safe"
    assert web.secured == ["a.example"]


def test_no_tls():
    web = Web(b"HTTP/1.1 200 OK\r\n\r\nsafe")
    web.tls_failure = NetworkError("the certificate is of somebody else")
    with pytest.raises(HttpError, match=r"a\.example: the certificate"):
        run_virtual(web.get("https://a.example/x"))
    assert not web.server.asked


def test_answers_before_the_answer():
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    assert run_virtual(Web(interim * 2 + b"HTTP/1.1 200 OK\r\n\r\nhi").get()).body == b"hi"
    with pytest.raises(HttpError, match="never says what"):
        run_virtual(Web(interim * MAX_INTERIM_ANSWERS).get())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 200 OK\r\n", "without an answer"),
        (b"SSH-2.0\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "chunks"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nxyz", "'br'"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nxyz", "compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\nabc", "longer"),
    ],
)
def test_strange_answers_name_the_host(answer, words):
    with pytest.raises(HttpError, match=rf"a\.example: .*{words}"):
        run_virtual(Web(answer).get())


def test_silence_ends():
    async def main():
        web = Web(None)
        with pytest.raises(HttpError, match="within 30 s"):
            await web.get()
        assert asyncio.get_running_loop().time() == 30.0

    run_virtual(main())


def test_a_name_that_leads_home_is_refused():
    with pytest.raises(HttpError, match=r"local\.example leads to 127\.0\.0\.1, a loopback"):
        run_virtual(Web().get("http://local.example/", allow_local=False))


def test_nobody_has_the_name():
    with pytest.raises(HttpError, match=r"nowhere\.invalid"):
        run_virtual(Web().get("http://nowhere.invalid/"))


def test_only_the_family_that_is_wanted():
    with pytest.raises(HttpError, match=r"a\.example"):
        run_virtual(Web(b"HTTP/1.1 200 OK\r\n\r\nhi").get(family=6))
    assert run_virtual(Web(b"HTTP/1.1 200 OK\r\n\r\nhi").get(family=4)).body == b"hi"
    with pytest.raises(HttpError, match="no IPv6 address"):
        run_virtual(Web().get("http://1.2.3.4/", family=6))


def test_a_header_that_cannot_be_sent():
    with pytest.raises(HttpError, match="header"):
        run_virtual(Web().get(headers={"X": "a\r\nb"}))
