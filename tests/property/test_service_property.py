"""What comes from a watch folder, from settings and from torrents' names, whatever it is."""

from __future__ import annotations

import contextlib
import os

from hypothesis import given
from hypothesis import strategies as st

from millstream import Magnet, Metainfo
from millstream.errors import ConfigError, MalformedDataError
from millstream.service.occasion import PLACEHOLDERS
from millstream.service.template import as_argument, check_template, fill
from millstream.service.watch_files import Found, parse
from millstream.settings.units import parse_duration, parse_size

ANY_TEXT = st.text(st.characters())
WORDS = st.fixed_dictionaries(dict.fromkeys(PLACEHOLDERS, ANY_TEXT))


@given(data=st.binary(max_size=200), suffix=st.sampled_from([".torrent", ".magnet"]))
def test_any_file_makes_a_torrent_or_an_error(data, suffix):
    try:
        made = parse(Found(f"a{suffix}", len(data), 0, 0), data)
    except MalformedDataError:
        return
    assert isinstance(made, Metainfo | Magnet)


@given(link=st.text(max_size=60))
def test_any_link_makes_a_torrent_or_an_error(link):
    data = f"magnet:?xt=urn:btih:{link}".encode("utf-8", "surrogatepass")
    try:
        made = parse(Found("a.magnet", len(data), 0, 0), data)
    except MalformedDataError:
        return
    assert isinstance(made, Magnet)


@given(
    argument=st.text(alphabet="{}naeifohs $\"'", max_size=30) | ANY_TEXT,
    words=WORDS,
)
def test_what_is_accepted_can_be_filled_in(argument, words):
    try:
        check_template("hooks.added", argument)
    except ConfigError:
        return
    fill(argument, words)


@given(words=WORDS, before=st.text(max_size=5), after=st.text(max_size=5))
def test_a_word_is_put_in_as_it_is(words, before, after):
    around = [text.replace("{", "{{").replace("}", "}}") for text in (before, after)]
    for name in PLACEHOLDERS:
        filled = fill(f"{{{name}}}".join(around), words)
        assert filled == f"{before}{as_argument(words[name])}{after}"


@given(word=ANY_TEXT)
def test_any_word_can_be_an_argument(word):
    assert b"\0" not in os.fsencode(as_argument(word))


@given(text=st.text(max_size=30) | st.text(alphabet="0123456789. kmgtibsdhw", max_size=20))
def test_any_text_is_a_quantity_or_a_value_error(text):
    for read in (parse_size, parse_duration):
        with contextlib.suppress(ValueError):
            assert read(text) >= 0
