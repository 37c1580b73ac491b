from __future__ import annotations

import math

import pytest

from millstream.errors import TrackerError
from millstream.protocol.bencode import encode
from millstream.tracker.http_answer import MAX_WORDS, count, decode_answer, words


def refusal(body: bytes, status: int = 200) -> TrackerError:
    with pytest.raises(TrackerError) as caught:
        decode_answer(body, status)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
    return caught.value


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "answered with nothing"),
        (b" \r\n", "answered with nothing"),
        (b"<!DOCTYPE html><html>...", "answered with a web page"),
        (b"\n  <HTML><body>", "answered with a web page"),
        (b"d8:intervali1800e5:peers", "malformed or truncated bencoding of 24 bytes"),
        (b"d8:intervali1800ee!", "malformed or truncated bencoding of 19 bytes"),
        (b"Not\x1b[2J a tracker", "'Not [2J a tracker'"),
        (b"x" * 1000, f"'{'x' * 60}'"),
        (b"\xff\xfe\x00", "3 bytes that are no bencoded dictionary"),
        (b"i5e", "'i5e'"),
        (b"le", "'le'"),
    ],
)
def test_what_is_no_answer_is_described(body, what):
    assert str(refusal(body)).endswith(what)


def test_the_status_is_told_with_it():
    assert str(refusal(b"<html>", 404)).endswith("a web page (HTTP status 404)")
    assert "HTTP status 503" in str(refusal(b"de", 503))


def test_a_refusal_counts_with_any_status():
    for status in (200, 400, 403):
        error = refusal(encode({b"failure reason": b"unregistered\n\x1b[31m torrent"}), status)
        assert str(error) == "the tracker refused: unregistered [31m torrent"
        assert error.retry_in is None


def test_a_refusal_without_words():
    for reason in (b"", 5, [b"x"]):
        body = encode({b"failure reason": reason})
        assert str(refusal(body)) == "the tracker refused: no reason given"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (5, 300),
        (b"5", 300),  # BEP 31's example quotes it
        (b"never", math.inf),
        (0, None),
        (-5, None),
        (b"-5", None),
        (b"soon", None),
        (b"", None),
        (10**19, None),
        (b"9" * 5000, None),
        ([b"never"], None),
    ],
)
def test_retry_in_of_bep_31(value, seconds):
    body = encode({b"failure reason": b"overloaded", b"retry in": value})
    assert refusal(body).retry_in == seconds


def test_unsorted_keys_are_read():
    assert decode_answer(b"d5:peers0:8:intervali5ee", 200) == {b"interval": 5, b"peers": b""}


def test_words():
    assert words(b"  two\twords\n") == "two words"
    assert words(b"x" * 10_000) == "x" * MAX_WORDS
    assert words("zu\u0308rich\u202e".encode()) == "zu\u0308rich"
    assert words(b"\xff") == "\ufffd"
    assert words(b" \n") is None
    assert words(5) is None


def test_counts():
    assert [count(value) for value in (0, 7, -1, 2**32, b"7", None, [])] == [
        *(0, 7),
        *[None] * 5,
    ]
