"""What HTTP trackers answer, as far as announce and scrape share it (BEP 3, BEP 31)."""

from __future__ import annotations

import math

from millstream.errors import BencodeError, TrackerError
from millstream.protocol.bencode import Bencoded, decode

# Words of a tracker that are kept for the user.
MAX_WORDS = 300

# Digits of BEP 31's minutes: ten years have seven.
MAX_RETRY_DIGITS = 7

# How much of an answer that is text is shown.
_SHOWN = 60


def decode_answer(body: bytes, status: int) -> dict[bytes, Bencoded]:
    """Decode the dictionary in a tracker's answer.

    Args:
        body: the answer.
        status: of HTTP. A refusal counts with any; trackers use 400 and 403 with it.

    Raises:
        TrackerError: the tracker refused (its words, and `retry_in`), or what came makes no sense
            (a sentence that says what came).
    """
    try:
        answer = decode(body, strict_keys=False)
    except BencodeError as error:
        raise TrackerError(_what_came(body, status)) from error
    if not isinstance(answer, dict):
        raise TrackerError(_what_came(body, status))
    reason = answer.get(b"failure reason")
    if reason is not None:
        text = words(reason) or "no reason given"
        raise TrackerError(f"the tracker refused: {text}", _retry_in(answer.get(b"retry in")))
    if not 200 <= status < 300:
        raise TrackerError(f"the tracker answered with HTTP status {status}")
    return answer


def words(value: Bencoded) -> str | None:
    """Text for the user, without line breaks and control characters; None if it is none."""
    if not isinstance(value, bytes):
        return None
    text = value[: 4 * MAX_WORDS].decode(errors="replace")
    shown = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(shown.split())[:MAX_WORDS] or None


def count(value: Bencoded | None) -> int | None:
    """A number of peers; None for what is none."""
    return value if isinstance(value, int) and 0 <= value < 1 << 32 else None


def _retry_in(value: Bencoded | None) -> float | None:
    """BEP 31's minutes, an integer or its digits, as seconds; infinite for `never`."""
    if value == b"never":
        return math.inf
    if isinstance(value, bytes) and value.isdigit() and len(value) <= MAX_RETRY_DIGITS:
        value = int(value)
    if isinstance(value, int) and 0 < value < 10**MAX_RETRY_DIGITS:
        return value * 60.0
    return None


def _what_came(body: bytes, status: int) -> str:
    start = body[:1024].lstrip().lower()
    if not start:
        what = "nothing"
    elif start.startswith(b"<"):
        what = "a web page"
    elif start.startswith(b"d") and start[1:2].isdigit():
        what = f"malformed or truncated bencoding of {len(body):,} bytes"
    elif start.isascii() and (text := words(body[: 4 * _SHOWN])):
        what = f"{text[:_SHOWN]!r}"
    else:
        what = f"{len(body):,} bytes that are no bencoded dictionary"
    ending = "" if status == 200 else f" (HTTP status {status})"
    return f"the tracker answered with {what}{ending}"
