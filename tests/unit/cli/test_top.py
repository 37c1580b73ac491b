from __future__ import annotations

import asyncio
import contextlib
import io
import json
import signal

import pytest
from rich.console import Console

from millstream.cli.top import resizing, watch
from millstream.cli.top_state import TopState
from millstream.cli.top_view import totals_text
from millstream.cli.torrent_table import table_lines
from millstream.errors import ControlError

from .daemon_double import ID, VIEW, run
from .test_top_view import TOTALS

ANSWER = {"torrents": [VIEW], "count": 1, "totals": TOTALS}


def test_without_a_terminal_one_table(monkeypatch, capsys):
    code, out, err, daemon = run(monkeypatch, capsys, "top", answers={"/torrents": ANSWER})
    assert (code, err) == (0, "")
    assert out.splitlines() == [totals_text(TOTALS), *table_lines([VIEW])]
    assert len(daemon.asked) == 1


def test_one_object_for_scripts(monkeypatch, capsys):
    _, out, _, _ = run(monkeypatch, capsys, "top", "--json", answers={"/torrents": ANSWER})
    event = json.loads(out)
    assert (event["event"], event["count"], event["totals"]["upload_rate"]) == ("top", 1, 0)
    assert event["torrents"][0]["infohash"] == ID


def test_the_daemon_chooses_and_sorts(monkeypatch, capsys):
    options = ("--sort", "name", "--reverse", "--show", "error", "-n", "7")
    *_, daemon = run(monkeypatch, capsys, "top", "x", *options, answers={"/torrents": ANSWER})
    ((_, path, _),) = daemon.asked
    for words in ("sort=-name%2C", "state=error", "name=x", "limit=7"):
        assert words in path


@pytest.mark.parametrize("wrong", [("--sort", "age"), ("--show", "some"), ("--interval", "0")])
def test_wrong_usage(monkeypatch, capsys, wrong):
    code, out, _, daemon = run(monkeypatch, capsys, "top", *wrong)
    assert (code, out, daemon.asked) == (2, "", [])


def test_nobody_there(monkeypatch, capsys):
    gone = {"/torrents": ControlError("no daemon answers at x")}
    code, _, err, _ = run(monkeypatch, capsys, "top", answers=gone)
    assert code == 6
    assert "no daemon answers" in err


class Client:
    """Answers so often, and has gone then; each time somebody presses keys."""

    def __init__(self, press, *keys):
        self.press = press
        self.keys = list(keys)
        self.asked = []

    async def get(self, path):
        self.asked.append(path)
        if not self.keys:
            raise ControlError("gone")
        self.press[0](self.keys.pop(0))
        return ANSWER


async def look_and_press(monkeypatch, *keys):
    press = []

    @contextlib.contextmanager
    def pressing(pressed):
        press.append(pressed)
        yield

    monkeypatch.setattr("millstream.cli.top_keys.listening", pressing)
    client, screen = Client(press, *keys), io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, height=24)
    try:
        await watch(client, console, TopState(), 3600.0)
    finally:
        client.screen = screen.getvalue()
    return client


async def test_the_view_is_drawn_on_a_screen_of_its_own_until_q(monkeypatch):
    client = await look_and_press(monkeypatch, "s", "q")
    assert ["sort=-downloadRate" in path for path in client.asked] == [True, False]
    assert "limit=21" in client.asked[0]
    assert client.screen.startswith("\x1b[?1049h")
    assert "10,000 torrents" in client.screen
    assert client.screen.rstrip().endswith(("\x1b[?1049l", "\x1b[?25h"))


async def test_a_daemon_that_goes_ends_it(monkeypatch):
    with pytest.raises(ControlError, match="gone"):
        await look_and_press(monkeypatch, "r")


@pytest.mark.skipif(not hasattr(signal, "SIGWINCH"), reason="no SIGWINCH on this platform")
async def test_a_new_size_is_news():
    news = asyncio.Event()
    with resizing(news):
        signal.raise_signal(signal.SIGWINCH)
        async with asyncio.timeout(5):
            await news.wait()
