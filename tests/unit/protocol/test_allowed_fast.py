from __future__ import annotations

import pytest

from millstream.protocol.allowed_fast import allowed_fast_set

INFO_HASH = b"\xaa" * 20
# BEP 6, "Allowed Fast Set Generation".
NINE = [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]


@pytest.mark.parametrize("size", [0, 1, 7, 9])
def test_the_sets_of_bep_6(size):
    assert allowed_fast_set("80.4.4.200", INFO_HASH, 1313, size) == NINE[:size]


def test_one_network_has_one_set():
    assert allowed_fast_set("80.4.4.1", INFO_HASH, 1313, 9) == NINE
    assert allowed_fast_set("::ffff:80.4.4.7", INFO_HASH, 1313, 9) == NINE
    assert allowed_fast_set("80.4.5.200", INFO_HASH, 1313, 9) != NINE
    first = allowed_fast_set("2001:db8::1", INFO_HASH, 1313, 9)
    assert first == allowed_fast_set("2001:db8::ffff:0:0:2", INFO_HASH, 1313, 9)
    assert first != allowed_fast_set("2001:db8:0:1::1", INFO_HASH, 1313, 9)
    assert len(set(first)) == 9


@pytest.mark.parametrize("count", [0, 1, 9, 10])
def test_a_small_torrent_is_allowed_as_a_whole(count):
    assert allowed_fast_set("80.4.4.200", INFO_HASH, count, 10) == list(range(count))


def test_all_but_one_of_the_pieces_can_be_chosen():
    assert len(set(allowed_fast_set("80.4.4.200", INFO_HASH, 101, 100))) == 100


@pytest.mark.parametrize("host", ["", "localhost", "1.2.3", "::1::"])
def test_what_is_no_address_is_allowed_nothing(host):
    assert allowed_fast_set(host, INFO_HASH, 1313, 10) == []
