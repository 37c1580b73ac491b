from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.http_server.gate import host_name
from millstream.rpc.access import Gate
from millstream.rpc.config import ControlConfig
from millstream.rpc.refusals import Refusal

TOKEN = "0123456789" * 2
LOCAL = Gate(ControlConfig())
OPEN = Gate(ControlConfig(host="::", token=TOKEN, allowed_hosts=("Nas.example",)))


def check(gate=LOCAL, *, host="127.0.0.1:6868", hosts=None, remote="127.0.0.1", **headers):
    values = {"origin": None, "fetch_site": None, "authorization": None} | headers
    gate.check(hosts=[host] if hosts is None else hosts, remote=remote, **values)


def refused(*arguments, **values):
    with pytest.raises(Refusal) as caught:
        check(*arguments, **values)
    return caught.value.status, caught.value.code


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:1", "localhost:6868", "LOCALHOST", "[::1]:6868", "localhost."]
)
def test_names_of_this_machine_pass(host):
    check(host=host)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:6868", "localhost.evil.example", "127.0.0.1.evil.example"),
        *("0.0.0.0:6868", "192.0.2.7", "[::]:6868", "", ":6868", "[::1", "::1", "127.0.0.1:x"),
        *("127.0.0.1:6868@evil.example", "[127.0.0.1]", "user@localhost"),
    ],
)
def test_a_name_made_to_point_here_does_not(host):
    assert refused(host=host) == (403, "HostNotAllowed")


def test_one_host_header():
    assert refused(hosts=[]) == (400, "BadHost")
    assert refused(hosts=["localhost", "localhost"]) == (400, "BadHost")


@pytest.mark.parametrize("host", ["192.0.2.7:6868", "nas.example:6868", "NAS.EXAMPLE", "localhost"])
def test_a_server_for_others_has_more_names(host):
    check(OPEN, host=host, authorization=f"Bearer {TOKEN}")


@pytest.mark.parametrize("host", ["evil.example", "[::]", "sub.nas.example"])
def test_and_not_every_name(host):
    assert refused(OPEN, host=host, authorization=f"Bearer {TOKEN}") == (403, "HostNotAllowed")


@pytest.mark.parametrize("origin", ["http://127.0.0.1:6868", "https://127.0.0.1:6868"])
def test_pages_of_ours_pass(origin):
    check(origin=origin, fetch_site="same-origin")


@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.example", "null", "", "http://127.0.0.1", "http://127.0.0.1:6869"),
        *("http://localhost:6868", "chrome-extension://abc", "http://127.0.0.1:6868.evil.example"),
    ],
)
def test_pages_of_others_do_not(origin):
    assert refused(origin=origin) == (403, "OriginNotAllowed")


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site"])
def test_nor_what_they_embed(site):
    assert refused(fetch_site=site) == (403, "OriginNotAllowed")


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
def test_the_token_opens(authorization):
    check(OPEN, host="192.0.2.7", remote="198.51.100.1", authorization=authorization)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "TokenRequired"),
        ("", "TokenRequired"),
        (f"Basic {TOKEN}", "TokenRequired"),
        (TOKEN, "TokenRequired"),
        ("Bearer ", "WrongToken"),
        (f"Bearer {TOKEN}x", "WrongToken"),
        (f"Bearer {TOKEN[:-1]}", "WrongToken"),
        ("Bearer \udcff", "WrongToken"),
    ],
)
@pytest.mark.parametrize("remote", ["127.0.0.1", "198.51.100.1"])
def test_nothing_else_does(authorization, code, remote):
    # Not even from this machine: behind a proxy, everybody comes from here.
    assert refused(OPEN, host="192.0.2.7", remote=remote, authorization=authorization) == (
        401,
        code,
    )


@pytest.mark.parametrize("remote", ["192.0.2.7", None, "nonsense"])
def test_without_a_token_only_this_machine_is_let_in(remote):
    assert refused(remote=remote) == (401, "TokenRequired")


@pytest.mark.parametrize("remote", ["127.8.8.8", "::1", "::1%lo"])
def test_this_machine_has_several_addresses(remote):
    check(remote=remote)


@given(st.text(max_size=40))
def test_any_host_has_a_name_or_none(host):
    name = host_name(host)
    assert name is None or (name and name in host)
