from __future__ import annotations

from urllib.parse import unquote_to_bytes

from millstream.protocol.percent import UNRESERVED, quote, unquote


def test_what_needs_no_quoting_stays():
    assert quote(b"azAZ09-._~") == "azAZ09-._~"


def test_all_else_is_quoted():
    assert quote(b"\x00\xff +/&=%?#") == "%00%FF%20%2B%2F%26%3D%25%3F%23"


def test_any_bytes_come_back():
    everything = bytes(range(256))
    assert unquote_to_bytes(quote(everything)) == everything


def test_more_may_stand_for_itself():
    assert quote(b"[::1]:80/", UNRESERVED | frozenset(b"[]:")) == "[::1]:80%2F"


def test_unquote_takes_what_quote_made():
    everything = bytes(range(256))
    assert unquote(quote(everything).encode()) == everything


def test_unquote_leaves_what_is_no_escape():
    assert unquote(b"%4a%4A%%zz%a+") == b"JJ%%zz%a+"
