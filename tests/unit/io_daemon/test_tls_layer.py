from __future__ import annotations

import ssl
from contextlib import suppress

import pytest
from tests.certificates import own_certificate

from millstream.io_daemon.tls_layer import TlsLayer


class Server:
    """The other side, in memory."""

    def __init__(self, context):
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.ready = False

    def receive(self, data):
        self._incoming.write(data)
        if not self.ready:
            try:
                self.tls.do_handshake()
                self.ready = True
            except ssl.SSLWantReadError:
                pass
        return self._outgoing.read()

    def send(self, data):
        self.tls.write(data)
        return self._outgoing.read()

    def end(self):
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self._outgoing.read()


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return own_certificate(tmp_path_factory.mktemp("tls"), "localhost")


def shake_hands(layer, server):
    out = layer.begin()
    plain = []
    while out:
        back = server.receive(out)
        more, out = layer.receive(memoryview(back))
        plain += more
    assert plain == []


def test_bytes_go_both_ways(context):
    layer, server = TlsLayer("localhost", skips_validation=True), Server(context)
    assert not layer.is_ready
    shake_hands(layer, server)
    assert layer.is_ready
    server.receive(layer.encrypt(memoryview(b"hello")))
    assert server.tls.read() == b"hello"
    plain, _ = layer.receive(memoryview(server.send(b"x" * 100_000)))
    assert b"".join(plain) == b"x" * 100_000
    plain, _ = layer.receive(memoryview(server.send(b"last") + server.end()))
    assert (plain, layer.is_closed) == ([b"last"], True)


def test_a_certificate_of_nobody_is_refused(context):
    layer, server = TlsLayer("localhost", skips_validation=False), Server(context)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(layer, server)
    assert not layer.is_ready


def test_what_is_no_tls():
    layer = TlsLayer("localhost", skips_validation=True)
    layer.begin()
    with pytest.raises(ssl.SSLError):
        layer.receive(memoryview(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
