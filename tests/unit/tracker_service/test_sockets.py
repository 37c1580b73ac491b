from __future__ import annotations

import socket

import pytest

from millstream.errors import NetworkError
from millstream.tracker_service import sockets
from millstream.tracker_service.sockets import bind_sockets, client_host


@pytest.fixture
def bind():
    opened = []

    def bind(*hosts, port=0, http=True, udp=True):
        opened.append(bind_sockets(hosts, port, http=http, udp=udp))
        return opened[-1]

    yield bind
    for bound in opened:
        bound.close()


def test_both_protocols_have_one_port(bind):
    bound = bind("127.0.0.1", "127.0.0.2")
    assert bound.hosts == ["127.0.0.1", "127.0.0.2"]
    assert len(bound.streams) == len(bound.datagrams) == 2
    ports = {one.getsockname()[1] for one in (*bound.streams, *bound.datagrams)}
    assert ports == {bound.port}


def test_one_protocol_alone(bind):
    assert bind("127.0.0.1", udp=False).datagrams == []
    assert bind("127.0.0.1", http=False).streams == []


# 192.0.2.1 is for documentation only (RFC 5737): no machine has it.
def test_a_host_that_the_machine_lacks_is_passed_over(bind):
    assert bind("192.0.2.1", "127.0.0.1").hosts == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["192.0.2.1", "not an address", ""])
def test_a_host_must_be_left(bind, host):
    with pytest.raises(NetworkError, match="cannot listen at"):
        bind(host)


def test_a_taken_port_is_an_error(bind):
    port = bind("127.0.0.1", http=False).port
    with pytest.raises(NetworkError, match=f"cannot listen on port {port}: Address already in use"):
        bind("127.0.0.1", port=port)


def test_a_port_that_only_one_protocol_may_have_is_left_for_another(bind, monkeypatch):
    taken = bind("127.0.0.1", http=False).port
    real = sockets._bind
    ports = iter([taken])

    def first_the_taken_one(kind, host, bound):
        if not bound.port:
            bound.port = next(ports, 0)
        return real(kind, host, bound)

    monkeypatch.setattr(sockets, "_bind", first_the_taken_one)
    assert bind("127.0.0.1").port != taken


def test_it_does_not_try_for_ever(bind, monkeypatch):
    taken = bind("127.0.0.1", http=False).port
    real = sockets._bind

    def always_the_taken_one(kind, host, bound):
        bound.port = taken
        return real(kind, host, bound)

    monkeypatch.setattr(sockets, "_bind", always_the_taken_one)
    with pytest.raises(NetworkError):
        bind("127.0.0.1")


def test_failing_closes_what_was_opened(bind, monkeypatch):
    taken = bind("127.0.0.1", http=False).port
    opened = []
    real = sockets._bind

    def remember(kind, host, bound):
        opened.append(real(kind, host, bound))
        return opened[-1]

    monkeypatch.setattr(sockets, "_bind", remember)
    with pytest.raises(NetworkError):
        bind("127.0.0.1", port=taken)
    assert [one.type for one in opened] == [socket.SOCK_STREAM]
    assert opened[0].fileno() == -1


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_client_host(name, host):
    assert client_host(name) == host
