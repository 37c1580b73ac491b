from __future__ import annotations

import pytest

from millstream.settings.catalogue import all_settings
from millstream.settings.units import (
    Unit,
    parse_duration,
    parse_quantity,
    parse_size,
    unit_of,
    written,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16384", 16384),
        ("1MiB", 1 << 20),
        (" 256 kib ", 256 << 10),
        ("1.5GiB", 3 << 29),
        ("4K", 4096),
        ("2g", 2 << 30),
        ("1MB", 1_000_000),
        ("7B", 7),
    ],
)
def test_parse_size(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "MiB", "-1", "1e6", "1 mb b", "0x10", "1.0000001", "1.3B", "1XiB", "٣", "9" * 40]
)
def test_parse_size_refuses(text):
    with pytest.raises(ValueError, match=r"is no (size|whole number)"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("2h", 7200),
        ("30 days", 2_592_000),
        ("1h 30min", 5400),
        ("1d12h", 129_600),
        ("0.5 H", 1800),
        ("250ms", 0.25),
        (" 1 week ", 604_800),
    ],
)
def test_parse_duration(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "90", "s", "-1s", "1 month", "1h 30", "1e3s", "1h,2m"])
def test_parse_duration_refuses(text):
    with pytest.raises(ValueError, match="is no time"):
        parse_duration(text)


def test_a_quantity_is_read_by_its_unit():
    assert parse_quantity(Unit.SIZE, "2 MiB") == 2 << 20
    assert parse_quantity(Unit.RATE, "500 KiB/s") == 512_000
    assert parse_quantity(Unit.DURATION, "2min") == 120
    with pytest.raises(ValueError, match="no size"):
        parse_quantity(Unit.SIZE, "5 KiB/s")


@pytest.mark.parametrize(
    ("unit", "number", "text"),
    [
        (Unit.SIZE, 64 << 20, "64 MiB"),
        (Unit.SIZE, 1536, None),
        (Unit.RATE, 512_000, "500 KiB"),
        (Unit.DURATION, 86_400.0, "1 d"),
        (Unit.DURATION, 90.0, None),
        (Unit.DURATION, 0.0, None),
    ],
)
def test_a_number_is_written_so_that_it_is_read_again(unit, number, text):
    assert written(unit, number) == text
    if text is not None:
        assert parse_quantity(unit, text) == number


def test_units_are_known_by_the_names_of_the_settings():
    units = {setting.key: setting.unit for setting in all_settings()}
    assert units["disk.max_queued_bytes"] is Unit.SIZE
    assert units["limits.torrent_upload"] is Unit.RATE
    assert units["network.peer_timeout"] is Unit.DURATION
    assert units["network.max_connect_rate"] is None
    assert units["network.listen_port"] is None
    assert unit_of("bytes_per_line") is None


def test_whatever_counts_bytes_or_seconds_has_a_unit():
    """Its docstring says so in its first word."""
    for setting in all_settings():
        counts = setting.meaning.lower().startswith(("bytes ", "seconds "))
        if setting.kind.name in {"WHOLE", "NUMBER"} and counts and "ratio" not in setting.key:
            assert setting.unit is not None, setting.key
