from __future__ import annotations

import pytest

from millstream.errors import MalformedDataError
from millstream.protocol.content_range import ContentRange


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bytes 0-99/1000", ContentRange(0, 100, 1000)),
        ("bytes 5-5/*", ContentRange(5, 1, None)),
        (" Bytes  7-9/10 ", ContentRange(7, 3, 10)),
    ],
)
def test_a_range_is_read(text, found):
    assert ContentRange.parse(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bytes */1000",
        "bytes 0-99",
        "items 0-99/1000",
        "bytes 9-5/100",
        "bytes 0-100/100",
        "bytes -1-5/100",
        "bytes 0-" + "9" * 5000 + "/*",
        "bytes \u0660-\u0669/100",  # digits of another script
        "bytes 0-9/100, bytes 20-29/100",
    ],
)
def test_what_is_none_is_an_error(text):
    with pytest.raises(MalformedDataError):
        ContentRange.parse(text)
