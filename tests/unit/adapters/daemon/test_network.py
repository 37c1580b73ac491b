from __future__ import annotations

import asyncio

import pytest

from millstream.adapters.daemon.network import DaemonNetwork
from millstream.errors import NetworkError
from millstream.io_wire.calls import encode_call
from millstream.io_wire.datagrams import datagram_header
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.streams import (
    FIRST_ACCEPTED,
    Accepted,
    Bound,
    Credit,
    Place,
    Secure,
    Secured,
    SocketStatus,
    encode_socket,
)
from millstream.protocol.compact import PeerAddress

REMOTE = PeerAddress("1.2.3.4", 5)


class Handler:
    def __init__(self, connection):
        self.connection = connection
        self.received = []
        self.lost = []

    def data_received(self, view):
        self.received.append(bytes(view))

    def datagram_received(self, view, address):
        self.received.append((bytes(view), address))

    def output_drained(self):
        pass

    def connection_lost(self, reason):
        self.lost.append(reason)


@pytest.fixture
def network(daemon):
    return DaemonNetwork(daemon)


async def turn():
    for _ in range(4):
        await asyncio.sleep(0)


async def begin(coroutine):
    task = asyncio.ensure_future(coroutine)
    await turn()
    return task


def asked_number(daemon, index=-1):
    return Place.parse(memoryview(daemon.asked[index][2])).socket


async def connected(daemon, network):
    task = await begin(network.connect(REMOTE, Handler))
    number = asked_number(daemon)
    daemon.answer(Opcode.TCP_CONNECTED, SocketStatus(number).encode())
    return (await task), number


async def test_connecting(daemon, network):
    task = await begin(network.connect(REMOTE, Handler))
    _, opcode, payload = daemon.asked[0]
    assert opcode is Opcode.TCP_CONNECT
    number, *place = Place.parse(memoryview(payload))
    assert place == [5, "1.2.3.4"]
    daemon.answer(Opcode.TCP_CONNECTED, SocketStatus(number).encode())
    # In the same message, before anybody wakes up.
    daemon.tell(Opcode.TCP_RECV, encode_socket(number) + b"early")
    stream = await task
    await turn()
    assert stream.remote == REMOTE
    handler = stream._handler
    assert handler.received == [b"early"]
    daemon.tell(Opcode.TCP_RECV, encode_socket(number) + b"later")
    daemon.tell(Opcode.TCP_RECV, encode_socket(number))
    daemon.tell(Opcode.TCP_RECV, encode_socket(number + 1) + b"somebody else's")
    assert handler.received == [b"early", b"later"]
    daemon.tell(Opcode.TCP_CLOSE, SocketStatus(number).encode())
    daemon.tell(Opcode.TCP_CLOSE, SocketStatus(number).encode())
    await turn()
    assert handler.lost == [None]


async def test_credit_is_the_daemons_window(daemon, network):
    stream, number = await connected(daemon, network)
    stream.write(bytes(1500))
    assert stream.unsent_bytes == 500
    daemon.tell(Opcode.CREDIT, Credit(number, 400).encode())
    daemon.tell(Opcode.CREDIT, Credit(number + 1, 400).encode())
    assert stream.unsent_bytes == 100


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (SocketStatus(1, 1, 111, "Connect call failed"), "1.2.3.4:5: Connection refused"),
        (SocketStatus(1, 1, 0, "no such host"), "1.2.3.4:5: no such host"),
        (SocketStatus(1, 1), "no connection"),
    ],
)
async def test_no_connection(daemon, network, status, words):
    task = await begin(network.connect(REMOTE, Handler))
    daemon.answer(Opcode.TCP_CONNECTED, status.encode())
    with pytest.raises(NetworkError, match=words):
        await task


async def test_a_cancelled_connect(daemon, network):
    task = await begin(network.connect(REMOTE, Handler))
    number = asked_number(daemon)
    task.cancel()
    await turn()
    assert daemon.puts == [(Opcode.TCP_CLOSE, encode_socket(number))]
    daemon.answer(Opcode.TCP_CONNECTED, SocketStatus(number).encode())
    assert task.cancelled()
    assert not network._streams


async def test_cancelled_just_when_it_is_there(daemon, network):
    made = []
    task = await begin(network.connect(REMOTE, made.append))
    number = asked_number(daemon)
    daemon.answer(Opcode.TCP_CONNECTED, SocketStatus(number).encode())
    task.cancel()
    await turn()
    assert task.cancelled()
    assert not made
    assert daemon.puts == [(Opcode.TCP_CLOSE, encode_socket(number))]
    assert not network._streams


async def test_a_handler_that_cannot_be_made(daemon, network):
    def make(connection):
        raise ValueError("no handler")

    task = await begin(network.connect(REMOTE, make))
    number = asked_number(daemon)
    daemon.answer(Opcode.TCP_CONNECTED, SocketStatus(number).encode())
    with pytest.raises(ValueError, match="no handler"):
        await task
    assert daemon.puts == [(Opcode.TCP_CLOSE, encode_socket(number))]


async def listening(daemon, network, accept=Handler):
    task = await begin(network.listen(PeerAddress("127.0.0.1", 0), accept))
    number = asked_number(daemon)
    daemon.answer(Opcode.TCP_LISTEN_RESULT, Bound(number, 0, 1234).encode())
    return (await task), number


async def test_who_comes_is_accepted(daemon, network):
    handlers = []

    def accept(connection):
        handlers.append(Handler(connection))
        return handlers[-1]

    listener, number = await listening(daemon, network, accept)
    daemon.tell(Opcode.TCP_ACCEPT, Accepted(number, FIRST_ACCEPTED, 5, "1.2.3.4").encode())
    daemon.tell(Opcode.TCP_RECV, encode_socket(FIRST_ACCEPTED) + b"hello")
    assert handlers[0].connection.remote == REMOTE
    assert handlers[0].received == [b"hello"]
    listener.close()
    daemon.tell(Opcode.TCP_ACCEPT, Accepted(number, FIRST_ACCEPTED + 1, 5, "1.2.3.4").encode())
    assert len(handlers) == 1
    assert daemon.puts[-1] == (Opcode.TCP_CLOSE, encode_socket(FIRST_ACCEPTED + 1))


async def test_a_port_that_cannot_be_had(daemon, network):
    task = await begin(network.listen(PeerAddress("127.0.0.1", 80), Handler))
    daemon.answer(Opcode.TCP_LISTEN_RESULT, Bound(1, 1, 0, 13, "not you").encode())
    with pytest.raises(NetworkError, match="not you"):
        await task
    assert not network._listeners


async def bound(daemon, network):
    task = await begin(network.open_datagram(PeerAddress("127.0.0.1", 0), Handler))
    number = asked_number(daemon)
    daemon.answer(Opcode.UDP_BOUND, Bound(number, 0, 1234).encode())
    return (await task), number


async def test_datagrams(daemon, network):
    opened, number = await bound(daemon, network)
    handler = opened._handler
    daemon.tell(Opcode.UDP_RECV, datagram_header(number, 5, "1.2.3.4") + b"hello")
    daemon.tell(Opcode.UDP_RECV, datagram_header(number + 1, 5, "1.2.3.4") + b"not for us")
    assert handler.received == [(b"hello", REMOTE)]


async def test_streams_end_with_the_daemon_and_ports_come_back(daemon, network):
    stream, _ = await connected(daemon, network)
    listener, _ = await listening(daemon, network)
    closed, _ = await listening(daemon, network)
    closed.close()
    opened, _ = await bound(daemon, network)
    daemon.go()
    await turn()
    assert "away" in str(stream._handler.lost[0])
    daemon.come()
    await turn()
    assert [opcode for _, opcode, _ in daemon.asked] == [Opcode.TCP_LISTEN, Opcode.UDP_BIND]
    numbers = [asked_number(daemon, index) for index in (0, 1)]
    daemon.answer(Opcode.TCP_LISTEN_RESULT, Bound(numbers[0], 0, 1234).encode())
    daemon.answer(Opcode.UDP_BOUND, Bound(numbers[1], 0, 1234).encode())
    await turn()
    assert [listener.number, opened.number] == numbers
    daemon.tell(Opcode.UDP_RECV, datagram_header(numbers[1], 5, "1.2.3.4") + b"again")
    assert opened._handler.received == [(b"again", REMOTE)]


async def test_a_port_that_does_not_come_back_is_told(daemon, network, caplog):
    await listening(daemon, network)
    daemon.go()
    daemon.come()
    await turn()
    for _ in range(2):
        daemon.answer(Opcode.TCP_LISTEN_RESULT, Bound(1, 1, 0, 13, "not you").encode())
        await turn()
    assert "not you" in caplog.text


async def test_numbers_are_ours_and_not_in_use(daemon, network):
    _, number = await connected(daemon, network)
    network._last_number = FIRST_ACCEPTED - 1
    _, again = await connected(daemon, network)
    assert number == 1
    assert again == 2


async def test_names_are_resolved_by_the_daemon(daemon, network):
    task = await begin(network.resolve("tracker.example"))
    answer = encode_call({"ok": True, "addresses": ["1.2.3.4", "::1"]})
    daemon.answer(Opcode.ANSWER, answer)
    assert await task == ["1.2.3.4", "::1"]
    assert await network.resolve("2001:DB8:0::1") == ["2001:db8::1"]


@pytest.mark.parametrize("message", ["no such host", "tracker.example: no such host"])
async def test_a_name_that_nobody_has(daemon, network, message):
    task = await begin(network.resolve("tracker.example"))
    daemon.answer(Opcode.ANSWER, encode_call({"ok": False, "message": message}))
    with pytest.raises(NetworkError, match=r"^tracker\.example: no such host$"):
        await task


async def test_tls(daemon, network):
    stream, number = await connected(daemon, network)
    task = await begin(network.secure(stream, "tracker.example"))
    _, opcode, payload = daemon.asked[0]
    assert opcode is Opcode.TCP_SECURE
    assert Secure.parse(memoryview(payload)) == (number, "tracker.example", False)
    daemon.answer(Opcode.TCP_SECURED, Secured(number).encode())
    await task
    task = await begin(network.secure(stream, "tracker.example"))
    daemon.answer(Opcode.TCP_SECURED, Secured(number, 1, "wrong name").encode())
    with pytest.raises(NetworkError, match="wrong name"):
        await task
    with pytest.raises(TypeError):
        await network.secure(object(), "x")
