from __future__ import annotations

import pytest

from millstream.cli.exit_codes import CommandError
from millstream.cli.remote import facts_of, find, is_prefix, read_token, with_query
from millstream.errors import ControlError

from .daemon_double import ID, OTHER, VIEW, Daemon, run

TWO = {"/torrents": {"torrents": [VIEW, {**VIEW, "id": OTHER, "name": "other"}]}}


@pytest.mark.parametrize(
    ("name", "found"), [("other", OTHER), ("abab", ID), ("ABCD", OTHER), ("x\x1b[2J", ID)]
)
async def test_a_torrent_is_found_by_name_and_by_its_first_digits(name, found):
    assert await find(Daemon(TWO), name) == found


async def test_an_infohash_needs_no_search():
    daemon = Daemon({})
    assert await find(daemon, "AB" * 20) == ID
    assert daemon.asked == []


@pytest.mark.parametrize("name", ["", "aba", "nothing", "ffff", "z" * 40])
async def test_no_torrent(name):
    with pytest.raises(CommandError, match="has no torrent") as caught:
        await find(Daemon(TWO), name)
    assert caught.value.code == 2


async def test_several_torrents():
    both = {"/torrents": {"torrents": [VIEW, {**VIEW, "id": "abab" + OTHER[4:]}]}}
    with pytest.raises(CommandError, match="may be any of"):
        await find(Daemon(both), "abab")


def test_keys_for_scripts_are_in_snake_case():
    assert facts_of({"id": "x", "downloadRate": 1, "eta": None}) == {
        "infohash": "x",
        "download_rate": 1,
        "eta": None,
    }


def test_the_token_is_in_a_file_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MILLSTREAM_TOKEN", "from-environment")
    assert read_token(None) == "from-environment"
    file = tmp_path / "token"
    file.write_text("from-file\n")
    assert read_token(file) == "from-file"
    file.write_text("\n")
    with pytest.raises(CommandError, match="no token in it"):
        read_token(file)
    monkeypatch.setenv("MILLSTREAM_TOKEN", "")
    assert read_token(None) is None


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ControlError("no daemon answers at x"), 6, "no daemon answers"),
        (ControlError("wanted", 401, "TokenRequired"), 6, "--token-file or $MILLSTREAM_TOKEN"),
        (ControlError("not you", 403, "HostNotAllowed"), 6, "not you"),
        (ControlError("there is none", 400, "TorrentNotFound"), 2, "there is none"),
        (ControlError("there already", 409, "DuplicateTorrent"), 2, "there already"),
        (ControlError("the disk is full", 500, "Storage"), 1, "the disk is full"),
    ],
)
def test_exit_codes(monkeypatch, capsys, error, code, words):
    answers = {f"/torrent/{ID}/pause": error}
    ended, out, err, _ = run(monkeypatch, capsys, "pause", ID, answers=answers)
    assert (ended, out) == (code, "")
    assert err.startswith("millstream: ")
    assert words in err


def test_the_daemon_is_where_the_option_or_the_environment_says(monkeypatch, capsys):
    environment = {"MILLSTREAM_DAEMON": "http://nas:1", "MILLSTREAM_TOKEN": "secret"}
    *_, daemon = run(monkeypatch, capsys, "list", **environment)
    assert daemon.made == ("http://nas:1", "secret")
    *_, daemon = run(monkeypatch, capsys, "list", "--daemon", "http://other:2", **environment)
    assert daemon.made == ("http://other:2", "secret")
    *_, daemon = run(monkeypatch, capsys, "list")
    assert daemon.made == ("http://127.0.0.1:6868", None)


def test_queries():
    assert with_query("/x", {"a": None}) == "/x"
    assert with_query("/x", {"a": "b c&d", "n": 7, "none": None}) == "/x?a=b+c%26d&n=7"
    # What came from the command line and is no UTF-8 goes as it came.
    assert with_query("/x", {"a": "\udcff"}) == "/x?a=%FF"


@pytest.mark.parametrize(("text", "is_one"), [("abcd", True), ("ABC", False), ("abcx", False)])
def test_what_may_begin_an_infohash(text, is_one):
    assert is_prefix(text) is is_one
    assert not is_prefix("a" * 41)
