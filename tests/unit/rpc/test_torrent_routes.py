from __future__ import annotations

import pytest

from millstream.rpc.route import MAX_LONG_BODY
from millstream.rpc.routes import find_route
from millstream.rpc.torrent_routes import TORRENT_ROUTES

ID = "ab" * 20


@pytest.mark.parametrize("verb", TORRENT_ROUTES)
def test_a_torrent_is_named_by_the_path(verb):
    for route in TORRENT_ROUTES[verb]:
        assert find_route(route.method, f"/torrent/{ID}/{verb}") == (route, ID)


def test_the_routes_of_the_original_are_there():
    reads = {"status", "peers", "availability", "trackers", "files", "pieces"}
    writes = {"add-peer", "disconnect-peer", "remove", "recheck", "pause", "resume", "settings"}
    assert reads | writes <= set(TORRENT_ROUTES)


@pytest.mark.parametrize("verb", ["settings", "priorities"])
def test_choices_of_many_files_are_long(verb):
    assert find_route("POST", f"/torrent/{ID}/{verb}")[0].max_body == MAX_LONG_BODY
