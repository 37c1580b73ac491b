"""Bencoding, the encoding of torrent files, extension messages and the DHT (BEP 3).

The decoder is strict: an integer or a length has no leading zeros, there is no -0, the keys of a
dictionary are sorted and unique, and nothing follows the value. One value thus has one encoding,
and an infohash can be trusted. Files in the wild break the order of keys, and libtorrent reads
them, so `strict_keys=False` accepts any order; a duplicate key is always refused, for two readers
could take two different values from it.

The decoder keeps its own stack, so that no input can exhaust Python's, and walks the bytes by
index, each string being copied once. A value comes out of it, or BencodeError, whatever goes in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from millstream.errors import BencodeError

Bencoded: TypeAlias = int | bytes | list["Bencoded"] | dict[bytes, "Bencoded"]
"""What decoding gives."""

Bencodable: TypeAlias = int | bytes | Sequence["Bencodable"] | Mapping[bytes, "Bencodable"]
"""What can be encoded; a sequence is a list or a tuple."""

# Lists and dictionaries inside each other. Libtorrent: load_torrent_limits.max_decode_depth.
MAX_DEPTH = 100

# Values, keys and ends in one decoding. Libtorrent: load_torrent_limits.max_decode_tokens.
MAX_TOKENS = 3_000_000

# BEP 3 sets no limit; 20 digits hold any 64-bit number, which is all that libtorrent reads. Python
# converts long numbers in quadratic time and refuses above 4300 digits.
MAX_INTEGER_DIGITS = 20

# A string's length has to fit its buffer, and no buffer of ours reaches 10 GB.
MAX_LENGTH_DIGITS = 10

_INTEGER_LIMIT = 10**MAX_INTEGER_DIGITS

_D, _E, _I, _L, _ZERO, _NINE = b"deil09"
_INTEGER = re.compile(rb"i(0|-?[1-9][0-9]{0,%d})e" % (MAX_INTEGER_DIGITS - 1)).match


def decode(data: bytes, *, strict_keys: bool = True) -> Bencoded:
    """Decode exactly one value.

    Args:
        data: the value's encoding, and nothing after it.
        strict_keys: whether the keys of dictionaries must be in order.

    Raises:
        BencodeError: the data is no strict bencoding, or exceeds a limit.
    """
    value, end = decode_prefix(data, strict_keys=strict_keys)
    _check_end(data, end)
    return value


def decode_prefix(data: bytes, start: int = 0, *, strict_keys: bool = True) -> tuple[Bencoded, int]:
    """Decode the value that begins at `start`, and say where it ends.

    Raw bytes follow a bencoded dictionary in ut_metadata messages (BEP 9).

    Raises:
        BencodeError: no strict bencoding begins there, it is cut short, or it exceeds a limit.
    """
    return _decode_value(data, start, iter(range(MAX_TOKENS)), MAX_DEPTH, strict_keys)


def decode_dict(
    data: bytes, *, strict_keys: bool = True
) -> tuple[dict[bytes, Bencoded], dict[bytes, tuple[int, int]]]:
    """Decode exactly one dictionary, and say where in the data each of its values lies.

    Returns:
        The dictionary, and for each of its keys the start and end of the value's encoding.

    Raises:
        BencodeError: the data is no strict bencoding of a dictionary, or exceeds a limit.
    """
    if data[:1] != b"d":
        raise BencodeError("a dictionary was expected")
    tokens = iter(range(MAX_TOKENS))
    values: dict[bytes, Bencoded] = {}
    spans: dict[bytes, tuple[int, int]] = {}
    last_key = b""
    position = 1
    while data[position : position + 1] != b"e":
        key, start = _decode_value(data, position, tokens, MAX_DEPTH - 1, strict_keys)
        last_key = _check_key(key, last_key if strict_keys else b"", values, position)
        value, end = _decode_value(data, start, tokens, MAX_DEPTH - 1, strict_keys)
        values[last_key] = value
        spans[last_key] = (start, end)
        position = end
    _check_end(data, position + 1)
    return values, spans


def encode(value: Bencodable) -> bytes:
    """Encode integers, bytes, lists, tuples, and dictionaries with keys of bytes.

    Raises:
        BencodeError: something else is among them, or a limit is exceeded that the decoder keeps.
    """
    parts: list[bytes] = []
    _encode_value(value, parts, MAX_DEPTH)
    return b"".join(parts)


def _check_end(data: bytes, end: int) -> None:
    if end != len(data):
        raise BencodeError(f"{len(data) - end} bytes follow the value that ends at byte {end}")


def _decode_value(
    data: bytes, position: int, tokens: Iterator[int], max_depth: int, strict_keys: bool
) -> tuple[Bencoded, int]:
    """Decode the value at `position`, taking one of `tokens` for each value, key and end."""
    find = data.find
    size = len(data)
    # What the current container holds so far, keys and values alike: a dictionary is made at its
    # end, so that the loop has one case and not three.
    items: list[Bencoded] = []
    is_dict = False
    outer: list[tuple[list[Bencoded], bool]] = []
    value: Bencoded

    for _ in tokens:
        if position >= size:
            raise BencodeError(f"the data ends at byte {size}, inside a value")
        kind = data[position]
        if _ZERO <= kind <= _NINE:
            colon = find(b":", position, position + MAX_LENGTH_DIGITS + 1)
            digits = data[position:colon]
            # int() alone would also take spaces and underscores between the digits.
            if colon < 0 or not digits.isdigit() or (kind == _ZERO and len(digits) > 1):
                raise BencodeError(f"the string at byte {position} has no proper length")
            start = colon + 1
            end = start + int(digits)
            if end > size:
                raise BencodeError(f"the string at byte {position} is longer than the data")
            value = data[start:end]
            position = end
        elif kind == _E and outer:
            position += 1
            value = _make_dict(items, position, strict_keys) if is_dict else items
            items, is_dict = outer.pop()
        elif kind in (_D, _L):
            if len(outer) == max_depth:
                raise BencodeError(f"lists and dictionaries are nested over {MAX_DEPTH} deep")
            outer.append((items, is_dict))
            items = []
            is_dict = kind == _D
            position += 1
            continue
        elif kind == _I:
            match = _INTEGER(data, position)
            if match is None:
                raise BencodeError(f"the integer at byte {position} is malformed or too long")
            value = int(match[1])
            position = match.end()
        else:
            raise BencodeError(f"no value can begin with the byte at {position}")
        if not outer:
            return value, position
        items.append(value)
    raise BencodeError(f"there are more than {MAX_TOKENS} values")


def _make_dict(items: list[Bencoded], end: int, strict_keys: bool) -> dict[bytes, Bencoded]:
    """Pair keys with values; `end` is where the dictionary ends, for the messages."""
    if len(items) % 2:
        raise BencodeError(f"the dictionary ending at byte {end} has a key without a value")
    table: dict[bytes, Bencoded] = {}
    last_key = b""
    pairs = iter(items)
    for key, value in zip(pairs, pairs, strict=True):
        last_key = _check_key(key, last_key if strict_keys else b"", table, end)
        table[last_key] = value
    return table


def _check_key(
    key: Bencoded, least: bytes, table: Mapping[bytes, Bencoded], position: int
) -> bytes:
    """Return the key if it is a string, new to the table, and not less than `least`."""
    if not isinstance(key, bytes):
        raise BencodeError(f"the dictionary at byte {position} has a key that is no string")
    if key in table:
        raise BencodeError(f"the dictionary at byte {position} has the key {key[:40]!r} twice")
    if key < least:
        raise BencodeError(f"the dictionary at byte {position} has unsorted keys")
    return key


def _encode_value(value: Bencodable, parts: list[bytes], depth: int) -> None:
    if isinstance(value, bytes):
        parts.append(b"%d:%b" % (len(value), value))
    elif isinstance(value, int):
        if not -_INTEGER_LIMIT < value < _INTEGER_LIMIT:
            raise BencodeError(f"an integer has more than {MAX_INTEGER_DIGITS} digits")
        parts.append(b"i%de" % value)
    elif not isinstance(value, (dict, list, tuple, Mapping)):
        raise BencodeError(f"a {type(value).__name__} cannot be bencoded")
    elif depth == 0:
        raise BencodeError(f"lists and dictionaries are nested over {MAX_DEPTH} deep")
    elif isinstance(value, (dict, Mapping)):
        for key in value:
            if not isinstance(key, bytes):
                raise BencodeError("a dictionary has a key that is not bytes")
        parts.append(b"d")
        for key in sorted(value):
            item = value[key]
            if isinstance(item, bytes):  # most are, and a call takes longer than this
                parts.append(b"%d:%b%d:%b" % (len(key), key, len(item), item))
            else:
                parts.append(b"%d:%b" % (len(key), key))
                _encode_value(item, parts, depth - 1)
        parts.append(b"e")
    else:
        parts.append(b"l")
        for item in value:
            _encode_value(item, parts, depth - 1)
        parts.append(b"e")
