"""Whatever a session store holds: a value or the named error, and claims only as they were made."""

from contextlib import suppress
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import MalformedDataError
from millstream.protocol import bencode
from millstream.protocol.compact import PeerAddress
from millstream.protocol.file_selection import FileSelection
from millstream.protocol.infohash import InfoHash
from millstream.storage.claims import Claims, FileRecord
from millstream.storage.placement_record import PlacementRecord
from millstream.storage.resume import ResumeState
from millstream.storage.resume_peers import KeptPeer, decode_peers, encode_peers
from millstream.storage.session_keys import decode_index, encode_index

numbers = st.integers(0, (1 << 63) - 1)
texts = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1)
records = st.builds(FileRecord, numbers, st.integers(-(1 << 62), 1 << 62))


@st.composite
def claims(draw):
    count = draw(st.integers(1, 300))
    pieces = st.integers(0, (1 << count) - 1)
    return Claims(
        piece_count=count,
        flushed=draw(pieces),
        written=draw(pieces),
        files=tuple(draw(st.lists(st.none() | records, max_size=5))),
        running=draw(st.booleans()),
        taken_at=draw(numbers),
    )


files = st.none() | st.sets(st.integers(0, 1 << 30), min_size=1).map(FileSelection.of)
paths = st.dictionaries(st.integers(0, (1 << 31) - 1), texts, max_size=3)
states = st.builds(
    ResumeState,
    save_path=texts,
    magnet=st.none() | texts,
    claims=st.none() | claims(),
    uploaded=numbers,
    downloaded=numbers,
    added_at=numbers,
    completed_at=st.none() | numbers,
    selection=st.none() | st.sets(st.integers(0, 1 << 30)).map(FileSelection.of),
    stopped=st.booleans(),
    sequential=st.booleans(),
    observe=st.booleans(),
    allow_local=st.booleans(),
    download_limit=st.none() | numbers,
    upload_limit=st.none() | numbers,
    trackers=st.lists(texts, max_size=5).map(tuple),
    root=st.none() | texts.filter(lambda text: len(text.encode()) <= 256),
    placement=st.builds(
        PlacementRecord,
        renames=paths,
        in_parts=files,
        suffixed=files,
        suffix=st.just(".part"),
        parts_left=st.booleans(),
        foreign=files,
        moving_to=st.none() | texts,
        moved_from=st.none() | texts,
        renaming=paths,
    ).map(lambda record: record if record.suffixed else replace(record, suffix="")),
    priorities=st.binary(max_size=9),
    first_last=st.booleans(),
    auto_managed=st.booleans(),
    forced=st.booleans(),
    active_seconds=numbers,
    seeding_seconds=numbers,
    max_peers=st.none() | numbers,
    goals_reached=st.booleans(),
    goals=st.none() | st.dictionaries(st.binary(), st.binary()),
    unknown=st.dictionaries(st.binary(min_size=20), st.integers(0, 9) | st.binary()),
)
bencoded = st.recursive(
    st.integers(-(10**19), 10**19) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.binary(), inner),
    max_leaves=20,
)
KEYS = sorted(bencode.decode(ResumeState(save_path="x", magnet="x", trackers=("x",)).encode()))


@given(states)
def test_a_state_comes_back(state):
    assert ResumeState.decode(state.encode()) == state


@given(
    st.binary(max_size=500) | st.dictionaries(st.sampled_from(KEYS), bencoded).map(bencode.encode)
)
def test_any_bytes_are_a_state_or_the_error(data):
    with suppress(MalformedDataError):
        state = ResumeState.decode(data)
        assert ResumeState.decode(state.encode()) == state


@given(claims(), st.data())
def test_claims_that_were_touched_claim_nothing_or_the_same(claim, data):
    encoded = bytearray(bencode.encode(claim.encode()))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    with suppress(MalformedDataError):
        assert Claims.decode(bencode.decode(bytes(encoded))) in {None, claim}


@given(st.binary(max_size=500) | bencoded.map(bencode.encode))
def test_any_bytes_are_peers_and_an_index(data):
    assert all(isinstance(peer, KeptPeer) for peer in decode_peers(data))
    assert all(isinstance(each, InfoHash) for each in decode_index(data))
    Claims.decode({b"x": data})


@given(st.lists(st.binary(min_size=20, max_size=20).map(InfoHash), unique=True))
def test_an_index_comes_back(hashes):
    assert decode_index(encode_index(hashes)) == hashes


@given(st.lists(st.tuples(st.integers(1, 65535), st.lists(texts, max_size=3), st.none() | numbers)))
def test_peers_come_back(entries):
    peers = [
        KeptPeer(PeerAddress("10.0.0.1", port), tuple(sources), seen)
        for port, sources, seen in entries
    ]
    assert decode_peers(encode_peers(peers)) == peers
