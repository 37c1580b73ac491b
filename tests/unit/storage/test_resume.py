import pytest

from millstream.errors import MalformedDataError
from millstream.protocol import bencode
from millstream.protocol.file_selection import FileSelection
from millstream.storage import resume
from millstream.storage.claims import Claims
from millstream.storage.placement_record import PlacementRecord
from millstream.storage.resume import ResumeState
from millstream.storage.roots import MAX_PATH_LENGTH

FULL = ResumeState(
    save_path="/srv/päth \udcff",
    magnet="magnet:?xt=urn:btih:" + "0" * 40,
    claims=Claims(piece_count=9, flushed=1),
    uploaded=1 << 50,
    downloaded=7,
    added_at=1_700_000_000,
    completed_at=1_700_000_001,
    selection=FileSelection.parse("0,2,4-6"),
    stopped=True,
    sequential=True,
    observe=True,
    allow_local=True,
    download_limit=1000,
    upload_limit=2000,
    trackers=("http://a/announce", "udp://b:1"),
    root="0123456789abcdef",
    placement=PlacementRecord(renames={3: "a/päth"}, in_parts=FileSelection.parse("1-2")),
    priorities=bytes([0, 1, 4, 7]),
    first_last=True,
    auto_managed=False,
    forced=True,
    active_seconds=5,
    seeding_seconds=4,
    max_peers=3,
    goals_reached=True,
    goals={b"ratio": b"1.5"},
    unknown={b"of later": [1, {b"x": b"y"}]},
)


def changed(**values):
    said = bencode.decode(FULL.encode())
    said.update({key.replace("_", " ").encode(): value for key, value in values.items()})
    return bencode.encode(said)


@pytest.mark.parametrize(
    "state",
    [FULL, ResumeState(save_path="x"), ResumeState(save_path="x", selection=FileSelection(()))],
)
def test_a_state_comes_back(state):
    assert ResumeState.decode(state.encode()) == state


def test_keys_of_later_versions_are_written_again():
    state = ResumeState.decode(changed(news=[b"1"]))
    assert bencode.decode(state.encode())[b"news"] == [b"1"]


def test_every_key_that_is_written_is_known():
    assert ResumeState.decode(FULL.encode()).unknown == FULL.unknown
    assert {*bencode.decode(FULL.encode())} - {b"of later"} == resume._KNOWN


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        b"le",
        b"de",
        changed(version=2),
        changed(version=b"1"),
        changed(save_path=b""),
        changed(save_path=7),
        changed(save_path=b"/a\0b"),
        changed(save_path=b"x" * (MAX_PATH_LENGTH + 1)),
    ],
)
def test_what_is_no_state_is_an_error(data):
    with pytest.raises(MalformedDataError):
        ResumeState.decode(data)


def test_there_is_a_limit(monkeypatch):
    monkeypatch.setattr(resume, "MAX_STATE_LENGTH", 10)
    with pytest.raises(MalformedDataError, match="over 10"):
        ResumeState.decode(FULL.encode())


@pytest.mark.parametrize(
    ("key", "values", "instead"),
    [
        ("uploaded", [-1, 1 << 63, b"5", []], 0),
        ("added_at", [-1, b""], 0),
        ("completed_at", [-1, b""], None),
        ("download_limit", [-1, b""], None),
        ("claims", [b"", 0, {}, {b"checksum": 0}], None),
        ("selection", [0, b"x", b"5-1", b"\xff", b"99999999999"], None),
        ("magnet", [0, b"x" * (resume.MAX_MAGNET_LENGTH + 1)], None),
        ("trackers", [0, {}, [1, b"", b"\0", [b"x"]]], ()),
        ("stopped", [b"1", -1, []], False),
    ],
)
def test_what_cannot_be_read_was_never_said(key, values, instead):
    for value in values:
        assert getattr(ResumeState.decode(changed(**{key: value})), key) == instead


def test_trackers_are_bounded():
    urls = [b"http://%d/" % n for n in range(resume.MAX_TRACKERS + 50)]
    assert len(ResumeState.decode(changed(trackers=urls)).trackers) == resume.MAX_TRACKERS
