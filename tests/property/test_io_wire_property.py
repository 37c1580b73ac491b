"""The wire of the io-daemon: what was packed is read, and whatever comes is a value or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import MalformedFrameError
from millstream.interfaces.disk import Extent, Outcome
from millstream.io_wire import batches, results
from millstream.io_wire.calls import encode_call, parse_call
from millstream.io_wire.datagrams import Datagram, Membership, datagram_header
from millstream.io_wire.envelope import encode_frame, pack_frames, split_message
from millstream.io_wire.handshake import Auth, AuthResult, Feature, Hello
from millstream.io_wire.streams import (
    Accepted,
    Bound,
    Credit,
    Place,
    Secure,
    Secured,
    SocketData,
    SocketStatus,
)

U8 = st.integers(0, 255)
U16 = st.integers(0, 65535)
U32 = st.integers(0, 2**32 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
NAME = TEXT.filter(lambda text: "\0" not in text)
PATH = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
IDS = st.binary(max_size=255)
DIGESTS = st.binary(min_size=20, max_size=20)
EXTENTS = st.lists(
    st.builds(Extent, st.none(), st.just(0), st.integers(0, 9))
    | st.builds(Extent, PATH, st.integers(0, 2**62), st.integers(0, 9)),
    min_size=1,
    max_size=4,
).map(tuple)

MESSAGES = [
    st.builds(Hello, st.sampled_from([Feature(n) for n in range(4)]), U32, U32, U32),
    st.builds(Auth, NAME, NAME, NAME),
    st.builds(AuthResult, st.just(False), TEXT),
    st.builds(Place, U32, U16, TEXT),
    st.builds(SocketStatus, U32, U8, U32, TEXT),
    st.builds(Bound, U32, U8, U16, U32, TEXT),
    st.builds(Accepted, U32, U32, U16, TEXT),
    st.builds(Secure, U32, TEXT, st.booleans()),
    st.builds(Secured, U32, U8, TEXT),
    st.builds(Credit, U32, U32),
    st.builds(Membership, U32, TEXT),
]
PARSERS = [
    *(Hello, Auth, AuthResult, Place, SocketStatus, Bound, Accepted, Secure, Secured, Credit),
    *(Membership, SocketData, Datagram),
]


@given(st.one_of(MESSAGES))
def test_what_was_packed_is_read(message):
    assert type(message).parse(memoryview(message.encode())) == message


@given(U32, U16, TEXT, st.binary())
def test_datagrams(socket, port, host, data):
    payload = datagram_header(socket, port, host) + data
    assert Datagram.parse(memoryview(payload)) == (socket, port, host, data)


@given(st.lists(st.tuples(U8, U32, st.binary())))
def test_frames(frames):
    message = pack_frames([encode_frame(*frame) for frame in frames])
    found = split_message(memoryview(message), packed=True)
    assert [(each.opcode, each.request, bytes(each.payload)) for each in found] == frames


@pytest.mark.parametrize("parser", PARSERS)
@given(payload=st.binary())
def test_a_payload_is_a_value_or_refused(parser, payload):
    try:
        parser.parse(memoryview(payload))
    except MalformedFrameError:
        return


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())))
def test_calls(call):
    assert parse_call(memoryview(encode_call(call))) == call


def total(extents):
    return sum(extent.length for extent in extents)


@st.composite
def write_records(draw):
    extents = draw(EXTENTS)
    length = total(extents)
    data = draw(st.binary(min_size=length, max_size=length))
    return batches.WriteRecord(draw(TEXT), extents, memoryview(data), draw(DIGESTS), draw(IDS))


@st.composite
def span_records(draw):
    extents = draw(EXTENTS)
    return batches.SpanRecord(draw(TEXT), extents, total(extents), draw(IDS))


@given(st.lists(write_records(), max_size=5))
def test_batches_of_writes(records):
    payload = b"".join(batches.pack_writes(records))
    assert batches.unpack_writes(memoryview(payload)) == (records, [])


@given(st.lists(span_records(), max_size=5))
def test_batches_of_spans(records):
    assert batches.unpack_spans(memoryview(batches.pack_spans(records))) == (records, [])


@given(st.lists(write_records(), min_size=1, max_size=4), st.data())
def test_of_a_cut_batch_the_ids_that_are_there_are_told(records, data):
    payload = b"".join(batches.pack_writes(records))
    cut = payload[: data.draw(st.integers(0, len(payload) - 1))]
    found = batches.unpack_writes(memoryview(cut))
    assert found.records == []
    told = [refused.id for refused in found.refused]
    assert told == [record.id for record in records][: len(told)]
    whole = sum(
        len(b"".join(batches.pack_writes(records[: n + 1]))) <= len(cut)
        for n in range(len(records))
    )
    assert len(told) == whole


OUTCOMES = st.sampled_from(list(Outcome))
FAULTS = st.builds(results.Fault, OUTCOMES, U32, TEXT, TEXT)


@st.composite
def write_results(draw):
    fault = draw(st.none() | FAULTS)
    outcome = fault.outcome if fault else draw(OUTCOMES)
    length = draw(st.integers(0, 2**31 - 1)) if outcome is Outcome.SUCCESS else 0
    # A fault is of a failure.
    fault = None if outcome is Outcome.SUCCESS else fault
    return results.Result(draw(IDS), outcome, length, fault=fault)


@given(st.lists(write_results(), max_size=5))
def test_results_of_writes(told):
    payload = results.pack_write_results(told)
    assert results.unpack_write_results(memoryview(payload)) == told


@given(
    st.lists(
        st.builds(results.Result, IDS, OUTCOMES, st.just(0), st.binary(), st.none()), max_size=5
    )
)
def test_results_of_reads(told):
    payload = b"".join(results.pack_read_results(told))
    assert results.unpack_read_results(memoryview(payload)) == told
