from __future__ import annotations

from millstream.service.occasion import PLACEHOLDERS, Happening, Occasion


def test_what_stands_for_the_placeholders():
    happening = Happening(
        occasion=Occasion.ERROR,
        time=1.0,
        infohash="ab" * 20,
        name="a b",
        root="/r",
        path="/r/a b",
        size=5,
        error="full",
    )
    assert happening.words() == {
        "event": "error",
        "infohash": "ab" * 20,
        "name": "a b",
        "root": "/r",
        "path": "/r/a b",
        "size": "5",
        "error": "full",
    }
    assert tuple(happening.words()) == PLACEHOLDERS


def test_what_is_not_known_is_empty():
    happening = Happening(occasion=Occasion.ADDED, time=1.0, infohash="", name="", root="/r")
    words = happening.words()
    assert (words["path"], words["size"], words["error"]) == ("", "", "")
