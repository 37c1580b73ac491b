"""Numbers, times and names as people read them; sizes as people write them.

Sizes are binary (KiB, MiB, GiB), as file managers and torrent clients count; rates are decimal
(MB/s), as networks and disks are sold.
"""

from __future__ import annotations

import unicodedata

from millstream.settings.units import parse_size

_SIZE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_RATE_UNITS = ("B/s", "kB/s", "MB/s", "GB/s", "TB/s")

# Formats that turn the direction of text around: a name could pretend another ending with them.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def format_size(length: int) -> str:
    """Bytes in binary units and three significant digits: `1.46 GiB`; exact ones without dot."""
    return _scaled(length, 1024, _SIZE_UNITS)


def format_rate(rate: float) -> str:
    """Bytes per second in decimal units: `87.3 MB/s`."""
    return _scaled(round(rate), 1000, _RATE_UNITS)


def format_duration(seconds: float | None) -> str:
    """A time in the units that matter: `0.41 s`, `3.2 s`, `22 s`, `3 min 05 s`, `1 h 02 min`, `2 d 3 h`.

    None is a time nobody knows.
    """
    if seconds is None:
        return "unknown"
    if seconds < 9.95:
        if seconds < 0.0995:
            return f"{seconds * 1000:.0f} ms"
        return f"{seconds:.1f} s" if seconds >= 0.995 else f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    if whole < 100 * 86400:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    return "more than 100 d"


def format_eta(seconds: float | None) -> str:
    """A remaining time, in whole seconds because it is a guess."""
    if seconds is None or seconds >= 10:
        return format_duration(seconds)
    return f"{max(1, round(seconds))} s"


def format_percent(fraction: float) -> str:
    """A fraction of one as `62.4 %`, rounded down: `100 %` means complete."""
    tenths = min(1000, max(0, int(fraction * 1000 + 1e-9)))
    if tenths == 1000 and fraction < 1:
        tenths = 999
    return "100 %" if tenths == 1000 else f"{tenths // 10}.{tenths % 10} %"


def plural(count: int, noun: str) -> str:
    """`1 piece`, `5,091 pieces`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def counted(done: int, total: int, unit: str) -> str:
    """`3,180 of 5,091 pieces`; bytes as sizes."""
    if unit == "byte":
        return f"{format_size(done)} of {format_size(total)}"
    return f"{done:,} of {plural(total, unit)}"


def parse_rate(text: str) -> int:
    """Read a size as `parse_size` does, per second: `500K`, `2M`, `1.5 MB/s`.

    Raises:
        ValueError: the text is no rate; the message is a sentence for the user.
    """
    try:
        return parse_size(text.strip().removesuffix("/s"))
    except ValueError:
        raise ValueError(
            f"{text!r} is no rate; write it like 500K, 2M or 1.5MB, per second"
        ) from None


def safe_text(text: str) -> str:
    """Text from a torrent or the disk, fit for a terminal.

    Control characters could move the cursor or change colours, and surrogates (bytes of a file
    name that are no UTF-8) cannot be written at all; both become U+FFFD.
    """
    if text.isprintable():
        return text
    return "".join(
        "\ufffd"
        if char in _BIDI or unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}
        else char
        for char in text
    )


def _scaled(value: int, step: int, units: tuple[str, ...]) -> str:
    scaled = float(value)
    for unit in units:
        # Rounding to three digits must not yield 1000 (or 1024) of a unit: then the next one is meant.
        if scaled < step - 0.5 or unit == units[-1]:
            break
        scaled /= step
    if scaled == int(scaled) or scaled >= 100:
        return f"{scaled:.0f} {unit}"
    return f"{scaled:.1f} {unit}" if scaled >= 9.995 else f"{scaled:.2f} {unit}"
