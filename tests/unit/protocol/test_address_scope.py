from __future__ import annotations

import pytest

from millstream.protocol.address_scope import AddressScope, is_global, scope_of


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("1.1.1.1", AddressScope.GLOBAL),
        ("172.15.255.255", AddressScope.GLOBAL),
        ("172.32.0.0", AddressScope.GLOBAL),
        ("100.63.255.255", AddressScope.GLOBAL),
        ("100.128.0.0", AddressScope.GLOBAL),
        ("2606:4700::1111", AddressScope.GLOBAL),
        ("127.0.0.1", AddressScope.LOOPBACK),
        ("127.255.255.254", AddressScope.LOOPBACK),
        ("::1", AddressScope.LOOPBACK),
        ("10.0.0.1", AddressScope.PRIVATE),
        ("172.16.0.1", AddressScope.PRIVATE),
        ("192.168.1.1", AddressScope.PRIVATE),
        ("fd00::1", AddressScope.PRIVATE),
        ("fec0::1", AddressScope.PRIVATE),
        ("169.254.169.254", AddressScope.LINK_LOCAL),
        ("fe80::1", AddressScope.LINK_LOCAL),
        ("fe80::1%eth0", AddressScope.LINK_LOCAL),
        ("100.64.0.1", AddressScope.SHARED),
        ("224.0.0.1", AddressScope.MULTICAST),
        ("ff02::1", AddressScope.MULTICAST),
        ("0.0.0.0", AddressScope.UNSPECIFIED),  # noqa: S104 - nothing is bound
        ("::", AddressScope.UNSPECIFIED),
        ("0.1.2.3", AddressScope.RESERVED),
        ("255.255.255.255", AddressScope.RESERVED),
        ("192.0.2.1", AddressScope.DOCUMENTATION),
        ("198.18.0.1", AddressScope.BENCHMARKING),
        ("2001:db8::1", AddressScope.DOCUMENTATION),
        ("2001:10::1", AddressScope.RESERVED),
        ("::7f00:1", AddressScope.UNASSIGNED),
        ("100::1", AddressScope.UNASSIGNED),
        ("4000::1", AddressScope.UNASSIGNED),
    ],
)
def test_scopes(host, scope):
    assert scope_of(host) is scope
    assert is_global(host) is (scope is AddressScope.GLOBAL)


@pytest.mark.parametrize(
    ("local", "public"),
    [
        ("::ffff:127.0.0.1", "::ffff:1.1.1.1"),
        ("::ffff:7f00:1", "::ffff:101:101"),
        ("2002:7f00:1::1", "2002:101:101::1"),
        ("64:ff9b::7f00:1", "64:ff9b::101:101"),
        # Teredo inverts the client's address.
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:0:4136:e378:8000:63bf:fefe:fefe"),
    ],
)
def test_an_address_within_an_address_decides(local, public):
    assert scope_of(local) is AddressScope.LOOPBACK
    assert is_global(public)


@pytest.mark.parametrize(
    "text", ["", "localhost", "1.2.3", "127.1", "1.2.3.4:80", "[::1]", "01.2.3.4"]
)
def test_what_is_no_address_is_not_global(text):
    assert not is_global(text)
    with pytest.raises(ValueError, match="address"):
        scope_of(text)
