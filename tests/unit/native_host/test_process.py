from __future__ import annotations

import pytest

from millstream.native_host.process import caller_of


@pytest.mark.parametrize(
    ("arguments", "caller"),
    [
        ((), None),
        (("chrome-extension://abc/",), "abc"),
        (("chrome-extension://abc/", "--parent-window=0"), "abc"),
        (("/home/me/.mozilla/native-messaging-hosts/a.b.json", "a@example.org"), "a@example.org"),
        (("something",), None),
    ],
)
def test_who_asks(arguments, caller):
    assert caller_of(arguments) == caller
