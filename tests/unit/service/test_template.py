from __future__ import annotations

import pytest

from millstream.errors import ConfigError
from millstream.service.template import MAX_WORD, as_argument, check_template, fill

WORDS = {"name": "$(x) 'q' \"d\"\n{infohash} {{", "infohash": "ab", "path": "/r/\udcff"}


@pytest.mark.parametrize(
    ("argument", "filled"),
    [
        ("", ""),
        ("plain $HOME `x`", "plain $HOME `x`"),
        ("{infohash}", "ab"),
        ("--id={infohash}-{infohash}", "--id=ab-ab"),
        ("{{infohash}} }}{{", "{infohash} }{"),
        ("{{{infohash}}}", "{ab}"),
        ("<{name}>", "<$(x) 'q' \"d\"\n{infohash} {{>"),
        ("{path}", "/r/\udcff"),
    ],
)
def test_an_argument_is_filled_in_once(argument, filled):
    check_template("hooks.added", argument)
    assert fill(argument, WORDS) == filled


@pytest.mark.parametrize(
    "argument", ["{nmae}", "{}", "{", "}", "a{{b}", "{name", "{0}", "{name!r}"]
)
def test_what_cannot_be_filled_in_is_refused(argument):
    with pytest.raises(ConfigError, match=r"^hooks\.added has .*; it must be one of \{event\}, "):
        check_template("hooks.added", argument)


def test_a_nul_is_refused():
    with pytest.raises(ConfigError, match="NUL"):
        check_template("hooks.added", "a\0b")


def test_any_word_becomes_an_argument():
    assert as_argument("a\0b") == "a\N{REPLACEMENT CHARACTER}b"
    assert as_argument("\ud800x") == "?x"
    assert as_argument("\udcff") == "\udcff", "a byte of a path"
    assert len(as_argument("x" * (MAX_WORD + 1))) == MAX_WORD
