from __future__ import annotations

import json

import pytest

from millstream.errors import ConfigError
from millstream.io_daemon import rpc_info
from millstream.io_daemon.rpc_info import Profile, read_profile
from millstream.storage.roots import StorageRoot

ROOT = {
    "key": "0123456789abcdef",
    "path": "/srv/films",
    "display_name": "Films",
    "removable": False,
}
EXTENSION = "dbokmlpefliilbjldladbimlcfgbolhk"


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "rpc-info.json"

    def store(*profiles, version=1):
        path.write_text(json.dumps({"version": version, "profiles": profiles}), "utf-8")
        return path

    return store


def test_the_profile_of_an_install_id(store):
    path = store(
        {"install_id": "b", "download_roots": []},
        {"install_id": "a", "extension_id": EXTENSION, "pid": 7, "download_roots": [ROOT]},
    )
    films = StorageRoot("0123456789abcdef", "Films", "/srv/films")
    assert read_profile(path, "a") == Profile((films,), EXTENSION)
    assert read_profile(path, "b") == Profile()
    assert read_profile(path, "c") == Profile()


@pytest.mark.parametrize(
    "profile",
    [
        {"download_roots": [ROOT | {"path": "films"}]},
        {"download_roots": [ROOT | {"key": 7}]},
        {"download_roots": ["x"]},
        {"download_roots": [ROOT | {"display_name": "\x1b"}]},
        {"extension_id": "a/b"},
        {"extension_id": 7},
    ],
)
def test_a_profile_that_is_none(store, profile):
    path = store({"install_id": "a"} | profile)
    with pytest.raises(ConfigError):
        read_profile(path, "a")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 1}', "[" * 100_000])
def test_a_file_that_is_none(tmp_path, text):
    path = tmp_path / "x"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError):
        read_profile(path, "a")


def test_another_version(store):
    with pytest.raises(ConfigError, match="version 1"):
        read_profile(store(version=2), "a")


def test_a_file_that_is_too_long_or_not_there(store, tmp_path, monkeypatch):
    monkeypatch.setattr(rpc_info, "MAX_LENGTH", 10)
    with pytest.raises(ConfigError, match="more than"):
        read_profile(store(), "a")
    with pytest.raises(FileNotFoundError):
        read_profile(tmp_path / "none", "a")
