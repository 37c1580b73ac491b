"""CALL and ANSWER: everything that is rare, as JSON; what may be asked is in docs/io-daemon.md.

A call is an object with the name of its operation as `op`. An answer is an object with `ok`; if that
is false, then with `error`, a word for programs, and `message`, and with `path` and `errno` if they
are known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from millstream.errors import MalformedFrameError
from millstream.io_wire.reader import decode_text

# 10,000 paths of 1 KB; torrents with more files ask in several calls.
MAX_CALL_LENGTH = 16 << 20

Json = Mapping[str, Any]


def encode_call(call: Json) -> bytes:
    """The payload of CALL or ANSWER."""
    return json.dumps(call, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "backslashreplace"
    )


def parse_call(payload: memoryview) -> dict[str, Any]:
    """Read a payload.

    Raises:
        MalformedFrameError: it is too long, no UTF-8, no JSON, or no object.
    """
    if len(payload) > MAX_CALL_LENGTH:
        raise MalformedFrameError(f"{len(payload)} bytes are too long for a call")
    try:
        value = json.loads(decode_text(payload), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise MalformedFrameError(f"a call is no JSON: {why}") from None
    if not isinstance(value, dict):
        raise MalformedFrameError("a call is a JSON object")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
