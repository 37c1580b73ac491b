from __future__ import annotations

import asyncio

import pytest
from tests.far_end import FarEnd

from millstream.errors import NetworkError
from millstream.io_daemon import web_socket
from millstream.io_daemon.web_socket import WebSocket
from millstream.io_wire.web_frames import (
    BINARY,
    CLOSE,
    GOING_AWAY,
    PING,
    PONG,
    UNSUPPORTED,
    frame_header,
)
from millstream.testing import conformance_waiting as waiting

from .test_web_messages import client_frame


class Ends(FarEnd):
    """A WebSocket, and the raw other end."""

    def __init__(self):
        super().__init__()
        self.messages = []
        self.ended = []
        self.socket = WebSocket(self.near, self._received, self._ended, 1 << 20)

    def _received(self, message, _memory):
        self.messages.append(bytes(message))

    def _ended(self, code, why):
        self.ended.append((code, why))

    async def until_ended(self):
        await waiting.until(lambda: self.ended, "it ends")
        ((code, why),) = self.ended
        return code, why


@pytest.fixture
async def ends():
    ends = Ends()
    yield ends
    ends.socket.abort()
    ends.far.close()


async def test_messages_in_both_directions(ends):
    await ends.say(client_frame(b"one") + client_frame(b"two"))
    await waiting.until(lambda: len(ends.messages) == 2, "both are there")
    await ends.socket.send(b"three")
    assert await ends.hear(7) == frame_header(BINARY, 5) + b"three"
    assert ends.messages == [b"one", b"two"]


async def test_who_sends_waits_for_the_other_end(ends):
    sending = asyncio.ensure_future(ends.socket.send(bytes(1 << 20)))
    await asyncio.sleep(0)
    assert not sending.done()
    assert len(await ends.hear(10 + (1 << 20))) == 10 + (1 << 20)
    await sending


async def test_what_is_borrowed_is_sent_at_once_or_copied(ends):
    data = bytearray(1 << 20)
    assert ends.socket.send_now([b"head", memoryview(data)])
    data[:] = b"x" * len(data)
    assert not ends.socket.send_now([b"more"])
    heard = await ends.hear(14 + len(data))
    assert heard == frame_header(BINARY, 4 + len(data)) + b"head" + bytes(len(data))
    await waiting.until(lambda: ends.socket.send_now([b"more"]), "there is room again")
    ends.socket.abort()
    assert not ends.socket.send_now([b"more"])


async def test_an_end_while_somebody_sends(ends):
    sending = asyncio.ensure_future(ends.socket.send(bytes(1 << 20)))
    await asyncio.sleep(0)
    ends.far.close()
    with pytest.raises(NetworkError):
        await sending
    assert (await ends.until_ended())[0] is None
    with pytest.raises(NetworkError):
        await ends.socket.send(b"more")


async def test_a_pause(ends):
    ends.socket.pause()
    await ends.say(client_frame(b"one"))
    await asyncio.sleep(0.002)
    assert ends.messages == []
    ends.socket.resume()
    await waiting.until(lambda: ends.messages, "it goes on")


async def test_a_pause_in_the_middle_of_what_came(ends):
    ends.socket._received = lambda *_: (ends.messages.append(1), ends.socket.pause())
    await ends.say(client_frame(b"one") + client_frame(b"two"))
    await waiting.until(lambda: ends.messages, "the first is there")
    await asyncio.sleep(0.002)
    assert len(ends.messages) == 1
    ends.socket.resume()
    await waiting.until(lambda: len(ends.messages) == 2, "the second is there")


async def test_longer_messages_once_they_may_be(ends):
    ends.socket.take_up_to(2 << 20)
    await ends.say(client_frame(bytes((1 << 20) + 1)))
    await waiting.until(lambda: ends.messages, "it is there")
    assert ends.ended == []


async def test_pings_are_answered_but_not_without_end(ends):
    await ends.say(client_frame(b"?", PING))
    assert await ends.hear(3) == frame_header(PONG, 1) + b"?"
    sending = asyncio.ensure_future(ends.socket.send(bytes(1 << 20)))
    await ends.say(client_frame(b"?", PING) * 1000 + client_frame(b"end"))
    await waiting.until(lambda: ends.messages, "all pings came")
    assert len(ends.socket._unsent) <= web_socket.MAX_WAITING_PONG + 2
    sending.cancel()


async def test_who_answers_no_ping_is_gone(ends, monkeypatch):
    monkeypatch.setattr(web_socket, "HEARTBEAT", 0.01)
    ends.socket._on_beat()
    assert await ends.hear(2) == frame_header(PING, 0)
    await ends.say(client_frame(b"", PONG))
    assert await ends.hear(2) == frame_header(PING, 0)
    assert ends.ended == []
    code, why = await ends.until_ended()
    assert code is None
    assert "ping" in why


async def test_who_is_paused_cannot_hear_an_answer(ends, monkeypatch):
    monkeypatch.setattr(web_socket, "HEARTBEAT", 0.002)
    ends.socket.pause()
    ends.socket._on_beat()
    await asyncio.sleep(0.01)
    assert ends.ended == []


async def test_text_ends_it_and_nothing_more_is_taken(ends):
    await ends.say(client_frame(b"text", 1) + client_frame(b"more"))
    assert await ends.until_ended() == (UNSUPPORTED, "messages are binary")
    await ends.say(client_frame(b"more"))
    closing = asyncio.ensure_future(ends.socket.close(UNSUPPORTED, "é" * 100))
    # No half of a letter: a browser would call it an error of its own.
    assert await ends.hear(1000) == frame_header(CLOSE, 124) + b"\x03\xeb" + "é".encode() * 61
    ends.far.close()
    await closing
    assert ends.messages == []


async def test_a_goodbye_of_the_client_is_answered(ends):
    await ends.say(client_frame(b"\x03\xe8", CLOSE))
    assert await ends.until_ended() == (None, "it said goodbye")
    closing = asyncio.ensure_future(ends.socket.close(1000))
    assert await ends.hear(100) == frame_header(CLOSE, 2) + b"\x03\xe8"
    assert not closing.done()
    ends.far.close()
    await closing


async def test_a_goodbye_waits_for_what_is_unsent(ends):
    sending = asyncio.ensure_future(ends.socket.send(bytes(1 << 20)))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(ends.socket.close(GOING_AWAY))
    heard = await ends.hear(2 << 20)
    assert heard[10 + (1 << 20) :] == frame_header(CLOSE, 2) + b"\x03\xe9"
    ends.far.close()
    await asyncio.gather(closing, sending, return_exceptions=True)


async def test_a_client_that_is_gone(ends):
    ends.far.close()
    assert await ends.until_ended() == (None, "the connection was closed")
    await ends.socket.close(1000)
    ends.socket.abort()
