from __future__ import annotations

import pytest

from millstream.core.host_kind import HostKind, host_kind, may_tell


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("8.8.8.8", HostKind.GLOBAL),
        ("172.32.0.1", HostKind.GLOBAL),
        ("2001:db8::1", HostKind.GLOBAL),
        ("::ffff:8.8.8.8", HostKind.GLOBAL),
        ("10.1.2.3", HostKind.LOCAL),
        ("172.31.255.255", HostKind.LOCAL),
        ("192.168.1.1", HostKind.LOCAL),
        ("169.254.0.1", HostKind.LOCAL),
        ("fe80::1", HostKind.LOCAL),
        ("fd00::1", HostKind.LOCAL),
        ("::ffff:10.0.0.1", HostKind.LOCAL),
        ("100.64.0.1", HostKind.LOCAL),
        ("198.18.0.1", HostKind.LOCAL),
        ("200:1234::1", HostKind.LOCAL),
        ("64:ff9b::a00:1", HostKind.LOCAL),
        ("2002:c0a8:101::1", HostKind.LOCAL),
        ("127.0.0.1", HostKind.LOOPBACK),
        ("64:ff9b::7f00:1", HostKind.LOOPBACK),
        ("127.255.0.1", HostKind.LOOPBACK),
        ("::1", HostKind.LOOPBACK),
        ("::ffff:127.0.0.1", HostKind.LOOPBACK),
        ("0.0.0.0", HostKind.INVALID),  # noqa: S104 - nothing is bound
        ("0.1.2.3", HostKind.INVALID),
        ("224.0.0.1", HostKind.INVALID),
        ("240.0.0.1", HostKind.INVALID),
        ("255.255.255.255", HostKind.INVALID),
        ("::", HostKind.INVALID),
        ("ff02::1", HostKind.INVALID),
        ("::ffff:0.0.0.0", HostKind.INVALID),
        ("1.2.3", HostKind.INVALID),
        ("1.2.3.256", HostKind.INVALID),
        ("2001:db8::g", HostKind.INVALID),
        ("", HostKind.INVALID),
        ("peer.example", HostKind.NAME),
        ("localhost", HostKind.NAME),
    ],
)
def test_kinds(host, kind):
    assert host_kind(host) is kind


@pytest.mark.parametrize("teller", HostKind)
@pytest.mark.parametrize("told", HostKind)
def test_an_address_is_told_where_it_can_be_reached(teller, told):
    allowed = {
        HostKind.GLOBAL: set(HostKind),
        HostKind.LOCAL: {HostKind.LOCAL, HostKind.LOOPBACK},
        HostKind.LOOPBACK: {HostKind.LOOPBACK},
    }
    assert may_tell(teller, told) == (teller in allowed.get(told, set()))
