from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import MalformedDataError, MalformedMagnetError
from millstream.protocol.compact import PeerAddress
from millstream.protocol.file_selection import MAX_FILE_INDEX, FileSelection
from millstream.protocol.infohash import InfoHash
from millstream.protocol.magnet import MAX_PEERS, MAX_TRACKERS, MAX_WEB_SEEDS, Magnet

BARE = "magnet:?xt=urn:btih:" + 40 * "a"
VISIBLE = st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn", "Z"])
NAMES = st.text(VISIBLE, min_size=1, max_size=20)
URLS = st.builds(
    lambda scheme, rest: f"{scheme}://{rest}", st.sampled_from(["http", "https", "udp"]), NAMES
)
PEERS = st.builds(
    PeerAddress,
    st.ip_addresses().map(str).filter(lambda host: not host.startswith("::ffff:"))
    | st.sampled_from(["example.org", "b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example"]),
    st.integers(1, 65535),
)
INDEXES = st.integers(0, 12) | st.integers(0, MAX_FILE_INDEX)
SPANS = st.tuples(INDEXES, INDEXES).map(sorted)


def written(spans: list[list[int]]) -> str:
    return ",".join(f"{first}-{last}" for first, last in spans)


SELECTIONS = st.lists(SPANS, min_size=1, max_size=6).map(
    lambda spans: FileSelection.parse(written(spans))
)


def some(values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(values, max_size=4, unique=True).map(tuple)


MAGNETS = st.builds(
    Magnet,
    st.binary(min_size=20, max_size=20).map(InfoHash),
    st.none() | NAMES,
    some(URLS),
    some(URLS),
    some(PEERS),
    st.none() | SELECTIONS,
)

# Parameters of links, mostly nonsense.
TEXT = st.text(max_size=12) | st.text("0123456789abcdefABCDEF%=&?:/+-,.[]", max_size=45)
PARAMETERS = st.builds(
    lambda name, value: f"{name}={value}",
    st.sampled_from(["xt", "dn", "tr", "ws", "x.pe", "so", "xt.1", "TR", ""]),
    TEXT
    | TEXT.map(lambda text: "urn:btih:" + text)
    | TEXT.map(lambda text: "http://" + text)
    | st.sampled_from(["urn:btih:" + 40 * "a", "urn:btmh:1220" + 64 * "a", "1.2.3.4:5", "0-9"]),
)


@given(MAGNETS)
def test_what_is_written_is_read(magnet):
    assert Magnet.parse(str(magnet)) == magnet


@given(
    TEXT
    | st.lists(PARAMETERS, max_size=6).map(lambda parts: "magnet:?" + "&".join(parts))
    | st.lists(PARAMETERS, max_size=6).map(lambda parts: "&".join([BARE, *parts]))
)
def test_any_text_is_a_link_or_an_error(text):
    with contextlib.suppress(MalformedMagnetError):
        magnet = Magnet.parse(text)
        assert magnet.name is None or magnet.name.isprintable()
        assert len(magnet.trackers) <= MAX_TRACKERS
        assert len(magnet.web_seeds) <= MAX_WEB_SEEDS
        assert len(magnet.peers) <= MAX_PEERS
        assert Magnet.parse(str(magnet)) == magnet


@given(st.lists(SPANS, min_size=1, max_size=8), st.integers(0, 30))
def test_a_selection_is_what_its_ranges_are(spans, count):
    selection = FileSelection.parse(written(spans))
    expected = [i for i in range(count) if any(low <= i <= high for low, high in spans)]
    assert selection.indexes(count) == expected
    assert [index for index in range(count) if index in selection] == expected
    assert FileSelection.parse(str(selection)) == selection


@given(st.text("0123456789,-x", max_size=20) | st.text(max_size=8))
def test_any_text_is_a_selection_or_an_error(text):
    left = FileSelection.read(text)
    assert left is None or FileSelection.parse(str(left)) == left
    with contextlib.suppress(MalformedDataError):
        assert FileSelection.parse(text) == left
