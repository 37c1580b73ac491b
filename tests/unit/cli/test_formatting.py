from __future__ import annotations

import pytest

from millstream.cli.formatting import (
    counted,
    format_duration,
    format_eta,
    format_percent,
    format_rate,
    format_size,
    parse_rate,
    plural,
    safe_text,
)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.50 KiB"),
        (10 * 1024 + 512, "10.5 KiB"),
        (256 << 20, "256 MiB"),
        ((256 << 20) + 1, "256 MiB"),
        ((1 << 20) - 1, "1.00 MiB"),
        ((1 << 30) - 1, "1.00 GiB"),
        (1567891234, "1.46 GiB"),
        (1 << 48, "256 TiB"),
        (1 << 70, "1024 EiB"),
    ],
)
def test_size(length, text):
    assert format_size(length) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0.0, "0 B/s"),
        (999.4, "999 B/s"),
        (999.6, "1 kB/s"),
        (87_300_000.0, "87.3 MB/s"),
        (999_700_000.0, "1.00 GB/s"),
        (1_230_000_000.0, "1.23 GB/s"),
    ],
)
def test_rate(rate, text):
    assert format_rate(rate) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (0.0004, "0 ms"),
        (0.04, "40 ms"),
        (0.41, "0.41 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (22, "22 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3720, "1 h 02 min"),
        (86400 * 2 + 3 * 3600, "2 d 3 h"),
        (1e9, "more than 100 d"),
    ],
)
def test_duration(seconds, text):
    assert format_duration(seconds) == text


def test_eta_is_whole_and_never_zero():
    assert [format_eta(eta) for eta in (None, 0, 0.2, 3.4, 12.2)] == [
        "unknown",
        "1 s",
        "1 s",
        "3 s",
        "12 s",
    ]


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0, "0.0 %"),
        (0.6249, "62.4 %"),
        (0.29, "29.0 %"),
        (0.99999999, "99.9 %"),
        (1.0, "100 %"),
        (-1.0, "0.0 %"),
    ],
)
def test_percent_reaches_a_hundred_only_when_complete(fraction, text):
    assert format_percent(fraction) == text


def test_counts():
    assert plural(1, "piece") == "1 piece"
    assert plural(0, "file") == "0 files"
    assert counted(3180, 5091, "piece") == "3,180 of 5,091 pieces"
    assert counted(1 << 20, 3 << 20, "byte") == "1 MiB of 3 MiB"


def test_safe_text_keeps_letters_of_all_scripts():
    name = "Füße, 映画, кино, 🎬 and spaces"
    assert safe_text(name) == name


@pytest.mark.parametrize("char", ["\x1b", "\n", "\r", "\x00", "\x9b", "\u202e", "\u2028", "\udcff"])
def test_safe_text_takes_the_teeth_out(char):
    assert safe_text(f"a{char}b") == "a\ufffdb"


@pytest.mark.parametrize(
    ("text", "rate"), [("500K", 500 << 10), ("2M/s", 2 << 20), (" 1.5 MB/s", 1_500_000)]
)
def test_parse_rate(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "/s", "2M/h", "2M/s/s", "fast"])
def test_parse_rate_refuses(text):
    with pytest.raises(ValueError, match="is no rate; write it like 500K"):
        parse_rate(text)
