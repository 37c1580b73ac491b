from __future__ import annotations

import errno
import sys

import pytest

from millstream.errors import ConfigError, StorageError
from millstream.settings.sources import (
    MAX_FILE_LENGTH,
    from_environment,
    from_tables,
    read_file,
    settings_path,
)

PORT = ("network", "listen_port")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "settings.toml"


@pytest.mark.parametrize(
    ("platform", "environ", "path"),
    [
        ("linux", {"MILLSTREAM_CONFIG": "my.toml", "HOME": "/h"}, "my.toml"),
        ("linux", {"XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/x/millstream/settings.toml"),
        ("linux", {"XDG_CONFIG_HOME": "x", "HOME": "/h"}, "/h/.config/millstream/settings.toml"),
        ("linux", {"MILLSTREAM_CONFIG": "", "HOME": "/h"}, "/h/.config/millstream/settings.toml"),
        (
            "darwin",
            {"HOME": "/h"},
            "/h/Library/Application Support/millstream/settings.toml",
        ),
        ("win32", {"HOME": "/h", "APPDATA": "/r"}, "/r/millstream/settings.toml"),
    ],
)
def test_where_the_file_is(monkeypatch, platform, environ, path):
    monkeypatch.setattr(sys, "platform", platform)
    assert str(settings_path(environ)) == path


def test_values_have_the_name_of_the_file(file):
    file.write_text("[network]\nlisten_port = 6881\n[limits.schedule]\nbegin = 5\n")
    given = {each.path: (each.value, each.source) for each in read_file(file)}
    assert given == {PORT: (6881, str(file)), ("limits", "schedule", "begin"): (5, str(file))}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[network]\nlisten_port = 70000",
            'network.listen_port is 70000; it must be a whole number, 0 to 65535, or "none"',
        ),
        (
            "[network]\nlisten_prot = 6881",
            "network.listen_prot (it is 6881) is no setting; did you mean network.listen_port?",
        ),
        ("zzz = []", "zzz (it is []) is no setting; `millstream settings` lists all"),
        ("[zzz]\na = 1", "zzz (it is a table) is no setting; `millstream settings` lists all"),
        ("[watch.a]", "watch.a lacks folder"),
        ("[watch]\nfolder = '/x'", 'watch.folder is "/x"; it must be a table'),
        ("[watch.'a b']\nfolder = '/x'", 'watch."a b" is no name; it must be 64 or fewer of'),
        ("[watch.a]\nfoldr = '/x'", 'watch.a.foldr (it is "/x") is no setting'),
        ("[watch.a]\ninterval = 0", "watch.a.interval is 0; it must be a number, 0.1 to 86400"),
        ("network = 1", "network is 1; it must be a table"),
        ("limits.schedule = 'x'", 'limits.schedule is "x"; it must be a table'),
        ("[network", "it is no TOML: Expected ']' at the end of a table declaration"),
        ("x = 2024-02-31T00:00:00Z", "it is no TOML: "),
        (f"x = {'9' * 5000}", "it is no TOML: "),
        (f"x = {'[' * 100_000}", "its lists are nested too deep"),
        (f"x = '{'y' * MAX_FILE_LENGTH}'", "it is longer than 1048576 bytes"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(file, text, words):
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_file(file)
    assert str(caught.value).startswith(f"{file}: {words}")
    assert len(str(caught.value)) < 500


def test_no_utf_8(file):
    file.write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match="it is no UTF-8 at byte 5"):
        read_file(file)


def test_a_file_that_is_not_there(file):
    assert read_file(file, may_lack=True) == []
    assert read_file(file / "below", may_lack=True) == []
    with pytest.raises(StorageError, match="no such settings file") as caught:
        read_file(file)
    assert caught.value.errno == errno.ENOENT


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(StorageError, match="directory"):
        read_file(tmp_path, may_lack=True)
    with pytest.raises(StorageError):
        read_file(tmp_path / "a\0b", may_lack=True)


def test_a_long_key_is_cut():
    with pytest.raises(ConfigError) as caught:
        list(from_tables({"x" * 10_000: 1}, "f"))
    assert len(str(caught.value)) < 200


def test_the_environment():
    given = list(
        from_environment(
            {
                "MILLSTREAM_NETWORK_LISTEN_PORT": "6881",
                "MILLSTREAM_NETWORK_MAX_CONNECTIONS": "",
                "MILLSTREAM_DEBUG": "1",
                "MILLSTREAM_CONFIG": "x",
                "HOME": "/h",
            }
        )
    )
    assert [(each.path, each.value, each.source) for each in given] == [
        (PORT, 6881, "MILLSTREAM_NETWORK_LISTEN_PORT")
    ]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("MILLSTREAM_NETWORK_LISTEN_PORT", "x", 'network.listen_port is "x"; it must be a whole'),
        ("MILLSTREAM_WATCH_A_FOLDER", "/x", "is no setting"),
        ("MILLSTREAM_NETWORK_LISTEN_PROT", "1", "did you mean MILLSTREAM_NETWORK_LISTEN_PORT?"),
    ],
)
def test_a_wrong_variable_is_named(name, text, words):
    with pytest.raises(ConfigError) as caught:
        list(from_environment({name: text}))
    assert str(caught.value).startswith(name)
    assert words in str(caught.value)
