from __future__ import annotations

import pytest

from millstream.storage.names import (
    MAX_COMPONENT_LENGTH,
    collision_key,
    numbered,
    safe_component,
)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("", "_"),
        (".", "_"),
        ("..", "_"),
        ("/", "_"),
        ("//\\", "_"),
        ("/..", "_"),
        ("\\..\\", "_"),
        (".\u202e.", "_"),
        ("/etc/passwd", "etcpasswd"),
        ("../../x", "....x"),
        ("a\\b", "ab"),
        ("a\0b", "a_b"),
        ("\b", "_"),
        ("a\x1b[31m\x7f\x85", "a_[31m__"),
        ("a\nb\tc", "a_b_c"),
        ("foo\u200ebar", "foobar"),
        ("annexe\u202efdp.exe", "annexefdp.exe"),
        ("\u2066a\u2069\u061c", "a"),
        ("\ud800", "_"),
        ("C:", "C_"),
        ("c:\\Windows", "c_Windows"),
        ("c:/Windows", "c_Windows"),
        ("/c:", "c_"),
        ("c/:", "c_"),
    ],
)
@pytest.mark.parametrize("windows", [False, True])
def test_what_is_dangerous_is_changed_everywhere(name, safe, windows):
    assert safe_component(name, windows=windows) == safe


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "...",
        "a..b",
        ".hidden",
        " a",
        "Ärger.txt",
        "日本語.mkv",
        "👩‍👩‍👧.jpg",
        "e\u0301",
        "_",
        "x" * MAX_COMPONENT_LENGTH,
        "日" * 85,
        "constant",
        "com10",
    ],
)
def test_good_names_stay(name):
    assert safe_component(name, windows=False) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("CON", "_CON"),
        ("nul", "_nul"),
        ("aux.c", "_aux.c"),
        ("Com1.tar.gz", "_Com1.tar.gz"),
        ("LPT9", "_LPT9"),
        ("COM\xb9", "_COM\xb9"),
        ("CON .txt", "_CON .txt"),
        ("conin$", "_conin$"),
        ("Dr.", "Dr"),
        ("a ", "a"),
        ("a. . .", "a"),
        ("nul.", "_nul"),
        ("...", "_"),
        ("   ", "_"),
        ('a<b>c:d"e|f?g*h', "a_b_c_d_e_f_g_h"),
        ("q: a", "q_ a"),
    ],
)
def test_what_windows_reserves_is_changed_on_windows_only(name, safe):
    assert safe_component(name, windows=True) == safe
    assert safe_component(name, windows=False) == name


@pytest.mark.parametrize("name", ["constant", "com10", "auxiliary", "a.con", "nul1", "LPT", "co n"])
def test_names_like_devices_stay_on_windows(name):
    assert safe_component(name, windows=True) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a" * 256, "a" * 240),
        ("a" * 300 + ".txt", "a" * 240 + ".txt"),
        ("a" * 252 + ".txt", "a" * 240 + ".txt"),
        ("a" * 300 + ".torrent", "a" * 240 + ".torrent"),
        ("a" * 300 + ".notanextension", "a" * 240),
        ("." + "a" * 300, "." + "a" * 239),
        ("日" * 86, "日" * 80),
        ("日" * 100 + ".jpg", "日" * 80 + ".jpg"),
        ("a" + "日" * 100 + ".jpg", "a" + "日" * 79 + ".jpg"),
        ("👩" * 1000, "👩" * 60),
    ],
)
def test_long_names_are_cut_between_characters_and_keep_their_extension(name, safe):
    assert safe_component(name, windows=False) == safe


def test_a_long_device_name_is_still_cut_on_windows():
    for name in ("con." + "a" * 251, "con" + " " * 300 + "x", "con." + "a" * 249 + ". a"):
        safe = safe_component(name, windows=True)
        assert safe.startswith("_con")
        assert len(safe) <= MAX_COMPONENT_LENGTH
        assert safe_component(safe, windows=True) == safe


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        ("a.txt", 1, "a.1.txt"),
        ("a.tar.gz", 2, "a.tar.2.gz"),
        ("a", 1, "a.1"),
        (".bashrc", 1, ".1.bashrc"),
        ("a.", 1, "a.1."),
        ("a" * 255, 12, "a" * 245 + ".12"),
        ("a" * 251 + ".txt", 123456789, "a" * 241 + ".123456789.txt"),
        ("日" * 85, 1, "日" * 81 + ".1"),
        ("." + "a" * 254, 1, "." + "a" * 244 + ".1"),
    ],
)
def test_numbers_go_before_the_extension(name, number, expected):
    assert numbered(name, number) == expected
    assert len(expected.encode()) <= MAX_COMPONENT_LENGTH


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.txt", "A.TXT"),
        ("Ärger", "äRGER"),
        ("\xe9", "e\u0301"),
        ("\xc9", "e\u0301"),
        ("straße", "STRASSE"),
        ("\u212b", "\xe5"),
    ],
)
def test_names_that_a_file_system_confuses_collide(one, other):
    assert collision_key(one) == collision_key(other)


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("e", "\xe9"), ("a", "a "), ("ﬁ", "f")])
def test_other_names_do_not_collide(one, other):
    assert collision_key(one) != collision_key(other)
