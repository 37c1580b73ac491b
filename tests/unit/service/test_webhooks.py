from __future__ import annotations

import asyncio
import json
import random

import pytest

from millstream.errors import HttpError
from millstream.service import webhooks as module
from millstream.service.config import WebhooksConfig
from millstream.service.occasion import Happening, Occasion
from millstream.service.webhooks import Webhooks
from millstream.testing.virtual_time import run_virtual

URL, OTHER = "http://here/secret-path", "https://there/"


def happening(name="a", occasion=Occasion.ADDED):
    return Happening(occasion=occasion, time=0.0, infohash="ab" * 20, name=name, root="/r")


class PosterDouble:
    """Answers what it is told, by URL; 200 when nothing is left."""

    def __init__(self, answers=None):
        self.posts = []
        self.answers = answers or {}
        self.closed = False

    async def post(self, url, body, headers, seconds):
        now = asyncio.get_running_loop().time()
        self.posts.append((now, url, json.loads(body)["torrent"]["name"], headers, seconds))
        answers = self.answers.get(url, [])
        answer = answers.pop(0) if answers else 200
        if answer == "hang":
            await asyncio.sleep(10**6)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, tuple) else (answer, "")

    async def close(self):
        self.closed = True

    def told(self, url):
        return [name for _, at, name, _, _ in self.posts if at == url]


@pytest.fixture
def log(caplog):
    caplog.set_level("INFO", logger="millstream.service")
    return caplog


def made(poster, **values):
    values.setdefault("urls", (URL,))
    return Webhooks(WebhooksConfig(**values), poster, random.Random(1))


def test_everybody_is_told_in_order():
    async def main():
        poster = PosterDouble({OTHER: ["hang"]})
        webhooks = made(poster, urls=(URL, OTHER), secret="hush", timeout=3.0)  # noqa: S106 - of this test
        for name in "abc":
            webhooks.happened(happening(name))
        await asyncio.sleep(1)
        assert poster.told(URL) == ["a", "b", "c"], "whoever is slow holds up no other"
        assert poster.told(OTHER) == ["a"]
        headers, seconds = poster.posts[0][3:]
        assert headers["X-Millstream-Signature"].startswith("sha256=")
        assert seconds == 3.0
        await webhooks.close()
        assert poster.closed
        assert webhooks._lines == {}

    run_virtual(main())


def test_only_what_is_wanted_is_told():
    async def main():
        poster = PosterDouble()
        webhooks = made(poster, events=("error",))
        webhooks.happened(happening("a"))
        webhooks.happened(happening("b", Occasion.ERROR))
        await asyncio.sleep(1)
        assert poster.told(URL) == ["b"]
        assert webhooks._lines == {}, "URLs come and go with the settings"
        webhooks.configure(WebhooksConfig())
        webhooks.happened(happening("c", Occasion.ERROR))
        await webhooks.close()
        assert poster.told(URL) == ["b"]

    run_virtual(main())


def test_it_is_tried_again_with_longer_and_longer_waits():
    async def main():
        answers = [HttpError("here: connection refused"), 503, 429, 200]
        poster = PosterDouble({URL: answers})
        webhooks = made(poster)
        webhooks.happened(happening("a"))
        webhooks.happened(happening("b"))
        await asyncio.sleep(60)
        assert poster.told(URL) == ["a"] * 4 + ["b"]
        times = [now for now, *_ in poster.posts]
        for wait, wanted in zip(range(3), (1, 2, 4), strict=True):
            assert 0.8 * wanted <= times[wait + 1] - times[wait] <= 1.2 * wanted
        assert len({post[3]["X-Millstream-Delivery"] for post in poster.posts[:4]}) == 1
        await webhooks.close()

    run_virtual(main())


def test_who_asks_for_time_gets_it():
    async def main():
        poster = PosterDouble({URL: [(503, "20"), (503, "999999"), (503, "soon"), 200]})
        webhooks = made(poster)
        webhooks.happened(happening())
        await asyncio.sleep(1000)
        times = [now for now, *_ in poster.posts]
        assert times[1] - times[0] == 20
        assert times[2] - times[1] == module.MAX_WAIT
        assert times[3] - times[2] < 5
        await webhooks.close()

    run_virtual(main())


def test_what_is_refused_is_not_tried_again(log):
    async def main():
        poster = PosterDouble({URL: [404]})
        webhooks = made(poster)
        webhooks.happened(happening())
        await asyncio.sleep(60)
        assert len(poster.posts) == 1
        await webhooks.close()

    run_virtual(main())
    assert log.messages == ["the webhook for 'added' to here failed: here answered 404"]


def test_it_is_given_up_at_last(log):
    async def main():
        poster = PosterDouble({URL: [500] * 9})
        webhooks = made(poster, max_attempts=3)
        webhooks.happened(happening())
        await asyncio.sleep(600)
        assert len(poster.posts) == 3
        await webhooks.close()

    run_virtual(main())
    assert log.messages == [
        "the webhook for 'added' to here failed: here answered 500, at each of 3 attempts"
    ]
    assert "secret-path" not in log.text


def test_none_is_lost_at_the_end_without_a_word(log):
    async def main():
        webhooks = made(PosterDouble({URL: ["hang"]}))
        webhooks.happened(happening("a"))
        webhooks.happened(happening("b"))
        await asyncio.sleep(0)
        await webhooks.close()
        assert asyncio.get_running_loop().time() == module.CLOSING_TIME

    run_virtual(main())
    assert log.messages == ["the webhook for 'added' to here is not sent: the service ends"] * 2


def test_what_waits_is_bounded_and_the_oldest_go(log, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING", 2)

    async def main():
        poster = PosterDouble()
        webhooks = made(poster)
        for name in "abcd":
            webhooks.happened(happening(name))
        await asyncio.sleep(1)
        assert poster.told(URL) == ["c", "d"]
        await webhooks.close()

    run_virtual(main())
    assert log.messages == ["the webhook for 'added' to here is not sent: 2 wait already"] * 2
