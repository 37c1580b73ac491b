"""What the control server asks of the gate is in `rpc/test_access.py`; this is what it does not."""

from __future__ import annotations

import pytest

from millstream.http_server.gate import RequestGate, bearer_token
from millstream.http_server.refusal import Refusal

SITE = "https://app.example"
EXTENSION = "chrome-extension://abcdefghijklmnop"
TOKEN = "0123456789" * 2


@pytest.fixture
def gate():
    gate = RequestGate(TOKEN, (), is_loopback=True)
    gate.origins = frozenset({SITE, EXTENSION})
    return gate


@pytest.mark.parametrize("origin", [SITE, EXTENSION, SITE.upper()])
def test_pages_of_sites_that_may(gate, origin):
    gate.check_site(["127.0.0.1:7000"], origin, "cross-site")


@pytest.mark.parametrize(
    "origin", [f"{SITE}:8443", f"{SITE}.evil.example", "http://app.example", "null", ""]
)
def test_pages_of_others(gate, origin):
    with pytest.raises(Refusal) as caught:
        gate.check_site(["127.0.0.1:7000"], origin, "cross-site")
    assert (caught.value.status, caught.value.code) == (403, "OriginNotAllowed")


def test_a_site_that_may_has_to_come_by_our_name(gate):
    with pytest.raises(Refusal) as caught:
        gate.check_site(["app.example:7000"], SITE, "same-origin")
    assert caught.value.code == "HostNotAllowed"


def test_the_token(gate):
    gate.check_token(TOKEN, None)
    for token in (None, "", TOKEN[:-1], f"{TOKEN}x", "é"):
        with pytest.raises(Refusal) as caught:
            gate.check_token(token, "127.0.0.1")
        assert caught.value.status == 401


def test_the_token_of_a_header():
    assert bearer_token("Bearer  abc ") == "abc"
    assert bearer_token("bEARER abc") == "abc"
    assert bearer_token("Basic abc") is None
    assert bearer_token(None) is None
