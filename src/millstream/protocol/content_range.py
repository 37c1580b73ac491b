"""The part of a file that an HTTP answer brings (RFC 9110, section 14.4)."""

from __future__ import annotations

import re
from typing import NamedTuple

from millstream.errors import MalformedDataError

# 18 digits are an exabyte, and fit into 64 bits.
_CONTENT_RANGE = re.compile(
    r"bytes\s+(?P<first>\d{1,18})-(?P<last>\d{1,18})/(?:(?P<whole>\d{1,18})|\*)",
    re.ASCII | re.IGNORECASE,
).fullmatch


class ContentRange(NamedTuple):
    """The value of a `Content-Range` header.

    Attributes:
        begin: bytes of the file before the part.
        length: bytes of the part, at least one.
        whole: bytes of the file; None if the server does not say.
    """

    begin: int
    length: int
    whole: int | None

    @classmethod
    def parse(cls, text: str) -> ContentRange:
        """Read `bytes 0-99/1000`.

        Raises:
            MalformedDataError: it is no range of bytes, or one that ends before it begins or
                behind the file's end.
        """
        match = _CONTENT_RANGE(text.strip())
        if match is None:
            raise MalformedDataError(f"{text[:60]!r} is no range of bytes")
        begin, end = int(match["first"]), int(match["last"]) + 1
        whole = None if match["whole"] is None else int(match["whole"])
        if begin >= end or (whole is not None and end > whole):
            raise MalformedDataError(f"{text[:60]!r} is no possible range")
        return cls(begin, end - begin, whole)
