"""Sizes, rates and times as people write them: `64 KiB`, `2M`, `30 days`, `1h 30min`."""

from __future__ import annotations

import enum
import re


class Unit(enum.Enum):
    """What a number counts; the value is an example."""

    SIZE = "64 MiB"
    """Bytes."""
    RATE = "500 KiB"
    """Bytes a second."""
    DURATION = "90 s"
    """Seconds."""


_SIZE = re.compile(
    r"(?P<number>\d{1,15}(?:\.\d{1,6})?)\s*(?P<unit>[a-z]*)", re.ASCII | re.IGNORECASE
)
_SIZE_FACTORS = {
    "": 1,
    "b": 1,
    # A bare letter is binary, as in `dd` and `truncate`.
    **{unit: 1 << 10 * power for power, unit in enumerate("kmgt", 1)},
    **{f"{unit}ib": 1 << 10 * power for power, unit in enumerate("kmgt", 1)},
    **{f"{unit}b": 1000**power for power, unit in enumerate("kmgt", 1)},
}

_SPAN = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]+)\s*", re.ASCII | re.IGNORECASE)
# systemd's names, without months and years, which are no fixed times.
_SPAN_FACTORS = {
    **dict.fromkeys(("ms", "msec"), 0.001),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86400),
    **dict.fromkeys(("w", "week", "weeks"), 604800),
}

# Of a setting's last name: what the engine's dataclasses call numbers of each unit.
_NAMES = {
    Unit.SIZE: re.compile(r"(.*_)?(bytes|length|size|space|reserve)"),
    Unit.RATE: re.compile(
        r"((alternative|torrent)_)?(download|upload)|(.*_)?(download|upload)_rate"
    ),
    Unit.DURATION: re.compile(
        r"(.*_)?(timeout|interval|time|seconds|retransmit|deadline|duration|grace|after)"
    ),
}


def unit_of(name: str) -> Unit | None:
    """What a number of this name counts, if it is one of these."""
    for unit, names in _NAMES.items():
        if names.fullmatch(name):
            return unit
    return None


def parse_size(text: str) -> int:
    """Read `1MiB`, `1.5 GiB`, `256K` (binary), `1MB` (decimal) or plain bytes.

    Raises:
        ValueError: the text is no size; the message is a sentence for the user.
    """
    match = _SIZE.fullmatch(text.strip())
    factor = match and _SIZE_FACTORS.get(match["unit"].lower())
    if match is None or factor is None:
        raise ValueError(f"{text!r} is no size; write it like 1MiB, 256KiB or 16384")
    size = (
        float(match["number"]) * factor if "." in match["number"] else int(match["number"]) * factor
    )
    if size != int(size):
        raise ValueError(f"{text!r} is no whole number of bytes")
    return int(size)


def parse_duration(text: str) -> float:
    """Read `90s`, `2h`, `30 days`, `1h 30min` as seconds; there must be a unit.

    Raises:
        ValueError: the text is no time; the message is a sentence for the user.
    """
    rest, total = text.strip(), 0.0
    while match := _SPAN.match(rest):
        factor = _SPAN_FACTORS.get(match[2].lower())
        if factor is None:
            break
        total += float(match[1]) * factor
        rest = rest[match.end() :]
    if rest or not text.strip():
        raise ValueError(f"{text!r} is no time; write it like 90s, 2h, 30 days or 1h 30min")
    return total


def parse_quantity(unit: Unit, text: str) -> float:
    """Read a text as a number of this unit; raises ValueError."""
    match unit:
        case Unit.SIZE:
            return parse_size(text)
        case Unit.RATE:
            return parse_size(text.strip().removesuffix("/s"))
        case Unit.DURATION:
            return parse_duration(text)


def written(unit: Unit, number: float) -> str | None:
    """A number as a text that is read as the same one; None if the number itself is no longer."""
    if unit is Unit.DURATION:
        steps: tuple[tuple[int, str], ...] = ((86400, "d"), (3600, "h"))
    else:
        steps = tuple(
            [(1 << 10 * power, f"{name}iB") for power, name in ((3, "G"), (2, "M"), (1, "K"))]
        )
    for step, name in steps:
        if number and number % step == 0:
            return f"{number / step:.0f} {name}"
    return None
