from __future__ import annotations

import pytest
from fakes import decode

from millstream.errors import LocalProtocolError, RemoteProtocolError
from millstream.protocol import bencode, extension
from millstream.protocol.extension import (
    MAX_CLIENT_LENGTH,
    OUR_IDS,
    ExtensionHandshake,
    extended,
    parse_upload_only,
)

FULL = ExtensionHandshake(
    messages={"ut_metadata": 3, "ut_pex": 0},
    client="Millstream 0.1",
    request_queue=250,
    port=6881,
    your_ip="192.0.2.7",
    metadata_size=31235,
    upload_only=True,
    encryption=True,
)


def parse(**fields: object) -> ExtensionHandshake:
    return ExtensionHandshake.parse(
        bencode.encode({name.encode(): value for name, value in fields.items()})
    )


def test_there_and_back():
    assert ExtensionHandshake.parse(FULL.encode()) == FULL
    assert ExtensionHandshake.parse(memoryview(FULL.encode())) == FULL


def test_how_it_looks():
    assert FULL.encode() == (
        b"d1:ei1e1:md11:ut_metadatai3e6:ut_pexi0ee13:metadata_sizei31235e1:pi6881e"
        b"4:reqqi250e11:upload_onlyi1e1:v14:Millstream 0.16:yourip4:\xc0\0\2\7e"
    )


def test_what_is_not_said_is_left_out():
    assert ExtensionHandshake().encode() == b"d1:mdee"
    assert ExtensionHandshake.parse(b"de") == ExtensionHandshake()


def test_the_example_of_bep_10():
    payload = b"d1:md11:LT_metadatai1e7:\xc2\xb5T_PEXi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e"
    assert ExtensionHandshake.parse(payload) == ExtensionHandshake(
        client="\N{MICRO SIGN}Torrent 1.2", port=6881
    )


def test_what_libtorrent_sends():
    payload = (
        b"d12:complete_agoi-1e1:md11:lt_donthavei7e10:share_modei8e11:upload_onlyi3e"
        b"12:ut_holepunchi4e11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei196e4:reqqi2000e"
        b"1:v18:libtorrent/2.0.9.06:yourip4:\x7f\0\0\1e"
    )
    assert ExtensionHandshake.parse(payload) == ExtensionHandshake(
        messages={"ut_metadata": 2, "ut_pex": 1, "lt_donthave": 7, "upload_only": 3},
        client="libtorrent/2.0.9.0",
        request_queue=2000,
        your_ip="127.0.0.1",
        metadata_size=196,
    )


def test_keys_in_any_order_and_bytes_behind_are_read():
    payload = b"d4:reqqi7e1:mde1:ei1eejunk"
    assert ExtensionHandshake.parse(payload) == ExtensionHandshake(request_queue=7, encryption=True)


@pytest.mark.parametrize("number", [-1, 256, b"1", []])
def test_ids_that_are_no_byte_are_left_out(number):
    handshake = parse(m={b"ut_pex": number, b"ut_metadata": 255, b"xx_other": 9})
    assert handshake.messages == {"ut_metadata": 255}


@pytest.mark.parametrize(
    ("fields", "nothing"),
    [
        ({"m": [b"ut_pex"]}, ("messages", {})),
        ({"v": 5}, ("client", None)),
        ({"v": b""}, ("client", None)),
        ({"v": b" \x1b\n "}, ("client", None)),
        ({"reqq": 0}, ("request_queue", None)),
        ({"reqq": -5}, ("request_queue", None)),
        ({"reqq": b"5"}, ("request_queue", None)),
        ({"p": 0}, ("port", None)),
        ({"p": 65536}, ("port", None)),
        ({"yourip": bytes(5)}, ("your_ip", None)),
        ({"yourip": 4}, ("your_ip", None)),
        ({"metadata_size": 0}, ("metadata_size", None)),
        ({"metadata_size": -1}, ("metadata_size", None)),
        ({"metadata_size": b"16384"}, ("metadata_size", None)),
        ({"upload_only": 0}, ("upload_only", False)),
        ({"upload_only": b"1"}, ("upload_only", False)),
        ({"e": []}, ("encryption", False)),
    ],
)
def test_odd_fields_count_as_not_sent(fields, nothing):
    name, value = nothing
    assert getattr(parse(**fields), name) == value


def test_a_huge_metadata_size_is_for_others_to_judge():
    assert parse(metadata_size=10**19).metadata_size == 10**19


def test_names_of_clients_are_for_people():
    assert parse(v=b"\x1b[31mEvil\r\n\xff 1.0").client == "[31mEvil\N{REPLACEMENT CHARACTER} 1.0"
    assert parse(v=b"x" * 30_000).client == "x" * MAX_CLIENT_LENGTH


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7"])
def test_both_kinds_of_addresses(host):
    handshake = ExtensionHandshake(your_ip=host)
    assert ExtensionHandshake.parse(handshake.encode()) == handshake


def test_a_name_is_no_address():
    with pytest.raises(LocalProtocolError):
        ExtensionHandshake(your_ip="example.org").encode()


@pytest.mark.parametrize("payload", [b"", b"i1e", b"le", b"d", b"d1:md", b"<html>", b"l" * 30_000])
def test_what_is_no_dictionary_is_refused(payload):
    with pytest.raises(RemoteProtocolError, match="extension handshake"):
        ExtensionHandshake.parse(payload)


def test_a_frame_reaches_the_receiver():
    assert decode(extended(0, b"de") + extended(255, b"")) == [
        ("extended", 0, b"de"),
        ("extended", 255, b""),
    ]


def test_our_ids_are_distinct_and_none_is_off():
    ids = list(OUR_IDS.values())
    assert len(set(ids)) == len(ids)
    assert extension.HANDSHAKE_ID not in ids


def test_upload_only_is_any_byte_but_0():
    assert parse_upload_only(b"\1")
    assert parse_upload_only(b"\xff")
    assert not parse_upload_only(b"\0")


@pytest.mark.parametrize("payload", [b"", b"\0\0"])
def test_upload_only_is_one_byte(payload):
    with pytest.raises(RemoteProtocolError):
        parse_upload_only(payload)


def test_what_a_later_handshake_leaves_out_stays():
    first = ExtensionHandshake(
        messages={"ut_pex": 5, "ut_metadata": 6},
        client="a",
        request_queue=9,
        port=1,
        your_ip="1.2.3.4",
    )
    later = ExtensionHandshake(messages={"ut_pex": 0}, request_queue=8, metadata_size=3)
    assert later.after(None) is later
    assert later.after(first) == ExtensionHandshake(
        messages={"ut_pex": 0, "ut_metadata": 6},
        client="a",
        request_queue=8,
        port=1,
        your_ip="1.2.3.4",
        metadata_size=3,
    )
