from __future__ import annotations

from millstream.adapters.daemon.files_away import root_away
from millstream.errors import NetworkError


def test_the_root_and_the_reason_are_named():
    error = root_away("f/films", NetworkError("no io-daemon there"))
    assert error.label == error.path == "f/films"
    assert error.why == "no io-daemon there"
    assert error.errno, "without a number it would be a file that is too short"
