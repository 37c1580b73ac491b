from __future__ import annotations

import pytest

from millstream.errors import ConfigError
from millstream.native_host.lent_root import LentRoot
from millstream.native_host.profiles import (
    MAX_LENGTH,
    MAX_PROFILES,
    read_profiles,
    roots_of,
    updated,
    write_profiles,
)

FILMS = LentRoot("f", "/srv/films", "Films")


def test_what_was_written_is_read():
    profiles = [{"install_id": "a", "later": [1]}, {"install_id": "b"}]
    assert read_profiles(write_profiles(profiles)) == profiles


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"version": 2, "profiles": []}',
        b"[" * 99_999,
        b" " * MAX_LENGTH + b" ",
    ],
)
def test_a_file_that_is_none(data):
    with pytest.raises(ConfigError):
        read_profiles(data)


def test_a_file_that_could_not_be_read_again_is_not_written():
    with pytest.raises(ConfigError):
        write_profiles([{"install_id": "x" * MAX_LENGTH}])


def test_the_roots_of_an_install_id():
    profiles = [
        {"install_id": "b", "download_roots": [LentRoot("o", "/o", "O").record()]},
        {"install_id": "a", "download_roots": [7, {"key": "bad"}, FILMS.record()]},
    ]
    assert roots_of(profiles, "a") == (FILMS,)
    assert roots_of(profiles, "c") == ()
    assert roots_of([{"install_id": "a", "download_roots": None}], "a") == ()


def test_a_profile_keeps_what_is_not_known_here():
    before = [{"install_id": "a", "later": 1, "pid": 2}, {"install_id": "b"}]
    after = updated(before, {"install_id": "a", "pid": 3})
    assert after == [{"install_id": "a", "later": 1, "pid": 3}, {"install_id": "b"}]
    assert updated([], {"install_id": "a"}) == [{"install_id": "a"}]


def test_the_profile_not_used_for_longest_goes():
    before = [{"install_id": str(n), "last_used": n} for n in range(MAX_PROFILES)]
    after = updated(before, {"install_id": "new"})
    assert len(after) == MAX_PROFILES
    assert after[0] == {"install_id": "new"}
    assert "0" not in {profile["install_id"] for profile in after}
