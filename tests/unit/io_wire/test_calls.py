from __future__ import annotations

import pytest

from millstream.errors import MalformedFrameError
from millstream.io_wire import calls
from millstream.io_wire.calls import encode_call, parse_call


def test_a_call_is_compact_json():
    assert encode_call({"op": "stat", "path": "é#?%"}) == '{"op":"stat","path":"é#?%"}'.encode()
    assert parse_call(memoryview(b'{"op":"stat"}')) == {"op": "stat"}


def test_a_text_that_has_no_utf8_comes_through():
    call = {"path": "\udcff"}
    assert parse_call(memoryview(encode_call(call))) == call


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"\xff", b"{", b'{"a":NaN}', b"[" * 100_000, b'{"a":' + b"1" * 9999]
)
def test_no_call(payload):
    with pytest.raises(MalformedFrameError):
        parse_call(memoryview(payload))


def test_a_call_that_is_too_long(monkeypatch):
    monkeypatch.setattr(calls, "MAX_CALL_LENGTH", 10)
    with pytest.raises(MalformedFrameError, match="too long"):
        parse_call(memoryview(b'{"op":"x"}' + b" "))
