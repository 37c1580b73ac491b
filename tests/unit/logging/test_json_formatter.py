from __future__ import annotations

import json
import logging
import sys

from millstream.logging.json_formatter import JsonLinesFormatter


def fail(words):
    raise ValueError(words)


def record(message, **fields):
    made = logging.LogRecord("millstream.peer", logging.WARNING, "x.py", 1, message, (), None)
    made.created = 1_700_000_000.1239
    vars(made).update(fields)
    return made


def test_a_line():
    line = JsonLinesFormatter().format(record("bad", component="peer", torrent="ab", peer="h:1"))
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.123Z",
        "level": "WARNING",
        "component": "peer",
        "torrent": "ab",
        "peer": "h:1",
        "message": "bad",
    }


def test_what_does_not_apply_is_left_out():
    assert list(json.loads(JsonLinesFormatter().format(record("x")))) == [
        "time",
        "level",
        "component",
        "message",
    ]


def test_one_ascii_line_whatever_it_quotes():
    made = record("a\nb\x1b\udc80漢")
    try:
        fail("two\nlines")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = JsonLinesFormatter().format(made)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == "a\nb\x1b\udc80漢"
    assert json.loads(line)["exception"].endswith("ValueError: two\nlines")
