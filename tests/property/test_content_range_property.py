"""Any text as a Content-Range: a range that can be, or a named error."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from millstream.errors import MalformedDataError
from millstream.protocol.content_range import ContentRange

NUMBERS = st.integers(0, 10**20).map(str)
LIKE_A_RANGE = st.builds(
    "{}{}-{}/{}".format,
    st.sampled_from(["bytes ", "bytes=", "Bytes\t", ""]),
    NUMBERS,
    NUMBERS,
    st.one_of(NUMBERS, st.just("*")),
)


@given(st.one_of(st.text(), LIKE_A_RANGE))
@example("bytes 0-0/1")
def test_any_text_is_a_range_or_a_named_error(text):
    try:
        found = ContentRange.parse(text)
    except MalformedDataError:
        return
    assert found.begin >= 0
    assert found.length >= 1
    assert found.whole is None or found.begin + found.length <= found.whole


@given(st.integers(0, 10**17), st.integers(1, 10**17), st.integers(0, 10**17))
def test_what_a_server_says_is_understood(begin, length, rest):
    whole = begin + length + rest
    text = f"bytes {begin}-{begin + length - 1}/{whole}"
    assert ContentRange.parse(text) == ContentRange(begin, length, whole)
