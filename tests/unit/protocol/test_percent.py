from __future__ import annotations

from urllib.parse import unquote_to_bytes

from millstream.protocol.percent import quote


def test_what_needs_no_quoting_stays():
    assert quote(b"azAZ09-._~") == "azAZ09-._~"


def test_all_else_is_quoted():
    assert quote(b"\x00\xff +/&=%?#") == "%00%FF%20%2B%2F%26%3D%25%3F%23"


def test_any_bytes_come_back():
    everything = bytes(range(256))
    assert unquote_to_bytes(quote(everything)) == everything
