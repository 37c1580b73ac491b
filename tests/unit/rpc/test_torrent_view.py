from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from millstream import TorrentState
from millstream.errors import StorageError
from millstream.rpc.torrent_view import (
    FIELDS,
    STATE_NAMES,
    Look,
    ratio,
    state_name,
    torrent_view,
    trouble,
    view_fields,
)

from .torrent_double import TorrentDouble


def test_states_have_no_spaces():
    assert state_name(TorrentState.FETCHING_METADATA) == "downloading_metadata"
    assert {state_name(state) for state in TorrentState} == STATE_NAMES
    assert all(" " not in name for name in STATE_NAMES)


def test_all_of_a_torrent_is_json():
    told = torrent_view(TorrentDouble(upload_rate=1.6, eta=2.4))
    assert json.loads(json.dumps(told)) == told
    assert set(told) == set(FIELDS)
    assert (told["state"], told["uploadRate"], told["eta"], told["uploadLimit"]) == (
        "seeding",
        2,
        2,
        2048,
    )


def test_what_is_not_asked_for_is_not_found_out():
    torrent = TorrentDouble("name")
    assert view_fields(Look(torrent), [("name", FIELDS["name"])]) == {"name": "name"}
    assert torrent.asked == []
    look = Look(torrent)
    view_fields(look, [(name, FIELDS[name]) for name in ("peers", "size", "eta")])
    assert torrent.asked == ["status"]
    with pytest.raises(AttributeError):
        look.nothing  # noqa: B018 - that is what fails


@pytest.mark.parametrize(
    ("uploaded", "downloaded", "done", "wanted"),
    [(0, 0, 0, 0), (5, 0, 0, None), (5, 50, 40, 0.1), (10, 0, 40, 0.25), (1, 3, 0, 0.333)],
)
def test_ratios(uploaded, downloaded, done, wanted):
    status = SimpleNamespace(uploaded=uploaded, downloaded=downloaded, bytes_done=done)
    assert ratio(status) == wanted


def test_errors_have_their_class():
    error = StorageError("/srv/x", "no space left on device", 28)
    told = torrent_view(TorrentDouble(state=TorrentState.ERROR, error=error))
    assert told["errorKind"] == "StorageError"
    assert told["trouble"] == str(error)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (TorrentState.DOWNLOADING, "no peers"),
        (TorrentState.FETCHING_METADATA, "no peers"),
        (TorrentState.SEEDING, None),
        (TorrentState.STOPPED, None),
    ],
)
def test_only_who_wants_something_lacks_it(state, said):
    assert trouble(Look(TorrentDouble(state=state, idle="no peers"))) == said


def test_a_download_that_flows_has_no_trouble():
    assert trouble(Look(TorrentDouble(state=TorrentState.DOWNLOADING))) is None


def test_what_takes_its_time_is_found_out_once():
    torrent = TorrentDouble(state=TorrentState.DOWNLOADING, idle="no peers")
    told = torrent_view(torrent)
    assert (told["whyIdle"], told["trouble"]) == ("no peers", "no peers")
    assert sorted(torrent.asked) == ["status", "why_idle"]
