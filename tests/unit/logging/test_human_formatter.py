from __future__ import annotations

import logging
import re
import sys

import pytest

from millstream.logging.human_formatter import HumanFormatter


def fail(words):
    raise ValueError(words)


def record(message, level=logging.INFO, **fields):
    made = logging.LogRecord("millstream.peer", level, "x.py", 1, message, (), None)
    made.created = 1_700_000_000.1239
    vars(made).update(fields)
    return made


def test_a_line():
    line = HumanFormatter().format(
        record("banned: bad", component="peer", torrent="c0ffee00" * 5, peer="192.0.2.7:6881")
    )
    moment, rest = line[:23], line[23:]
    assert re.fullmatch(r"2023-11-1\d \d\d:\d\d:\d\d\.123", moment)
    assert rest == " INFO    peer     [c0ffee00 192.0.2.7:6881] banned: bad"


def test_only_what_is_known_is_in_brackets():
    assert HumanFormatter().format(record("x", peer="h:1")).endswith(" [h:1] x")
    assert HumanFormatter().format(record("x", torrent="ab")).endswith(" [ab] x")
    assert HumanFormatter().format(record("x")).endswith(" peer     x")


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\r", "\\r"),
        ("\u202e", "\\u202e"),
        ("\udc80", "\\udc80"),
        ("naïve 漢字", "naïve 漢字"),
    ],
)
def test_what_came_from_the_network_is_made_harmless(hostile, shown):
    line = HumanFormatter().format(record(hostile))
    assert line.endswith(f" {shown}")
    assert line.isprintable()


def test_a_traceback_is_below_and_harmless_too():
    made = record("failed", logging.ERROR)
    try:
        fail("\x1b[31m")
    except ValueError:
        made.exc_info = sys.exc_info()
    first, *rest = HumanFormatter().format(made).splitlines()
    assert first.endswith("ERROR   peer     failed")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == "ValueError: \\x1b[31m"
