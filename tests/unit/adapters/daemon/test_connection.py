from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from millstream.adapters.daemon import connection as module
from millstream.adapters.daemon.address import DaemonAddress
from millstream.adapters.daemon.connection import RECONNECT_DELAYS, DaemonConnection
from millstream.errors import NetworkError
from millstream.io_wire.envelope import Frame, Opcode
from millstream.testing import run_virtual

TOKEN = "x" * 16
ADDRESS = DaemonAddress(token=TOKEN, port=1234)


class Link:
    """In place of `link.Link`."""

    def __init__(self, received):
        self.received = received
        self.hello = "its hello"
        self.round_trip = 0.25
        self.lost = asyncio.get_running_loop().create_future()
        self.outbox = self
        self.unsent_bytes = 17
        self.sent = []
        self.is_closed = False

    def put(self, opcode, request, payload):
        self.sent.append((opcode, request, b"".join(payload)))

    def put_long(self, opcode, request, payload):
        self.sent.append(("long", opcode, request, b"".join(payload)))

    def close(self):
        self.is_closed = True

    def say(self, opcode, request, payload=b""):
        self.received(Frame(1, opcode, request, memoryview(payload)))


class Links:
    """Those that were opened; `failures` are raised first."""

    def __init__(self):
        self.opened = []
        self.failures = []
        self.attempts = []

    async def open(self, address, window, received):
        self.attempts.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0)
        if self.failures:
            failure = self.failures.pop(0)
            if failure is not None:
                raise failure
        self.opened.append(Link(received))
        return self.opened[-1]


class Request:
    def __init__(self, last=True):
        self.frames = []
        self.failures = []
        self.last = last

    def answered(self, frame):
        self.frames.append((frame.opcode, bytes(frame.payload)))
        return self.last

    def failed(self, error):
        self.failures.append(str(error))


class Observer:
    def __init__(self):
        self.news = []

    def daemon_found(self):
        self.news.append("found")

    def daemon_lost(self, error):
        self.news.append("lost")


@pytest.fixture
def links(monkeypatch):
    links = Links()
    monkeypatch.setattr(module, "open_link", links.open)
    return links


async def lose(link, why="the cable"):
    link.lost.set_result(NetworkError(why))
    await asyncio.sleep(0.001)


def test_it_connects_when_it_is_needed(links):
    async def main():
        daemon = DaemonConnection(ADDRESS)
        observer = Observer()
        daemon.observe(observer)
        assert not daemon.is_up
        daemon.put(Opcode.UDP_SEND, b"nobody hears it")
        with pytest.raises(NetworkError, match="not connected"):
            daemon.ask(Request(), Opcode.CALL, [b""])
        await asyncio.gather(daemon.ready(), daemon.ready())
        assert len(links.opened) == 1
        assert observer.news == ["found"]
        assert daemon.is_up
        assert (daemon.hello, daemon.round_trip, daemon.unsent_bytes) == ("its hello", 0.25, 17)
        await daemon.close()
        assert links.opened[0].is_closed
        assert observer.news == ["found", "lost"]

    run_virtual(main())


def test_nobody_is_there_and_later_somebody(links):
    async def main():
        links.failures = [NetworkError("refused")]
        daemon = DaemonConnection(ADDRESS)
        with pytest.raises(NetworkError, match="refused"):
            await daemon.ready()
        await asyncio.sleep(100)
        assert len(links.attempts) == 1, "nobody asked again"
        await daemon.ready()
        assert daemon.is_up
        await daemon.close()

    run_virtual(main())


def test_answers_find_who_asked(links):
    async def main():
        daemon = DaemonConnection(ADDRESS)
        handled = []
        daemon.handle(Opcode.TCP_RECV, handled.append)
        await daemon.ready()
        (link,) = links.opened
        one, other, more = Request(), Request(), Request(last=False)
        first = daemon.ask(one, Opcode.CALL, [b"a", b"b"])
        second = daemon.ask(other, Opcode.WRITE_BATCH, [b"c"], long=True)
        third = daemon.ask(more, Opcode.CALL, [])
        daemon.put_long(Opcode.CALL, b"d")
        assert link.sent == [
            (Opcode.CALL, first, b"ab"),
            ("long", Opcode.WRITE_BATCH, second, b"c"),
            (Opcode.CALL, third, b""),
            ("long", Opcode.CALL, 0, b"d"),
        ]
        assert len({first, second, third, 0}) == 4
        link.say(Opcode.WRITE_RESULTS, second, b"2")
        link.say(Opcode.ANSWER, first, b"1")
        link.say(Opcode.ANSWER, first, b"once more")
        link.say(Opcode.ANSWER, third, b"3")
        link.say(Opcode.ANSWER, third, b"4")
        link.say(Opcode.TCP_RECV, 0, b"data")
        link.say(0x77, 0, b"what is that")
        assert one.frames == [(Opcode.ANSWER, b"1")]
        assert other.frames == [(Opcode.WRITE_RESULTS, b"2")]
        assert more.frames == [(Opcode.ANSWER, b"3"), (Opcode.ANSWER, b"4")]
        assert [bytes(frame.payload) for frame in handled] == [b"data"]
        link.say(Opcode.ERROR, third, b"that makes no sense")
        assert more.failures == ["that makes no sense"]
        await daemon.close()

    run_virtual(main())


def test_who_waits_when_it_goes_is_told(links):
    async def main():
        daemon = DaemonConnection(ADDRESS)
        await daemon.ready()
        request, news = Request(), []

        class Looking(Observer):
            def daemon_lost(self, error):
                news.append((daemon.is_up, list(request.failures)))

        daemon.observe(Looking())
        daemon.ask(request, Opcode.CALL, [])
        await lose(links.opened[0])
        assert "gone: the cable" in request.failures[0]
        assert news == [(False, request.failures)]
        assert links.opened[0].is_closed
        await daemon.close()

    run_virtual(main())


def test_what_happens_is_logged(links, caplog):
    async def main():
        caplog.set_level("INFO")
        daemon = DaemonConnection(ADDRESS)
        await daemon.ready()
        links.opened[0].say(Opcode.ERROR, 0, b"what was that?")
        await lose(links.opened[0])
        await asyncio.sleep(1)
        await daemon.close()

    run_virtual(main())
    complaint, gone, back = [record.getMessage() for record in caplog.records]
    assert "what was that?" in complaint
    assert "gone: the cable" in gone
    assert "back" in back


def test_it_comes_back_by_itself(links):
    async def main():
        daemon = DaemonConnection(ADDRESS)
        observer = Observer()
        daemon.observe(observer)
        await daemon.ready()
        links.failures = [NetworkError("refused")] * (len(RECONNECT_DELAYS) + 1)
        start = asyncio.get_running_loop().time()
        await lose(links.opened[0])
        await asyncio.sleep(1000)
        assert daemon.is_up
        assert observer.news == ["found", "lost", "found"]
        times = [start, *links.attempts[1:]]
        waits = [later - earlier for earlier, later in pairwise(times)]
        assert waits == pytest.approx([*RECONNECT_DELAYS, *[RECONNECT_DELAYS[-1]] * 2])
        await daemon.close()

    run_virtual(main())


def test_who_asks_meanwhile_waits_for_a_while(links):
    async def main():
        daemon = DaemonConnection(ADDRESS)
        await daemon.ready()
        loop = asyncio.get_running_loop()
        await lose(links.opened[0])
        began = loop.time()
        await daemon.ready()
        assert 0 < loop.time() - began <= RECONNECT_DELAYS[0]
        links.failures = [NetworkError("refused")] * 100
        await lose(links.opened[1])
        began = loop.time()
        with pytest.raises(NetworkError, match="refused"):
            await daemon.ready()
        assert loop.time() - began == daemon.patience
        await daemon.close()

    run_virtual(main())


def test_a_closed_one_stays_closed(links):
    async def main():
        daemon = DaemonConnection(ADDRESS)
        await daemon.ready()
        await daemon.close()
        await daemon.close()
        with pytest.raises(NetworkError, match="closed"):
            await daemon.ready()
        daemon.open()
        await asyncio.sleep(100)
        assert len(links.attempts) == 1

    run_virtual(main())


def test_closed_while_it_connects(links):
    async def main():
        daemon = DaemonConnection(ADDRESS)
        waiting = asyncio.ensure_future(daemon.ready())
        await asyncio.sleep(0)
        await daemon.close()
        with pytest.raises(NetworkError, match="closed"):
            await waiting

    run_virtual(main())


def test_a_socket_that_was_brought_along_has_no_successor(links):
    async def main():
        daemon = DaemonConnection(DaemonAddress(token=TOKEN, connected=object()))
        await daemon.ready()
        await lose(links.opened[0])
        with pytest.raises(NetworkError, match="gone"):
            await daemon.ready()
        await asyncio.sleep(100)
        assert len(links.attempts) == 1
        await daemon.close()

    run_virtual(main())
