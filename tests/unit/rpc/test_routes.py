from __future__ import annotations

import pytest

from millstream.rpc.refusals import Refusal
from millstream.rpc.root_routes import ROOT_ROUTES
from millstream.rpc.route import MAX_BODY, MAX_LONG_BODY
from millstream.rpc.routes import ROUTES, find_route

ID = "ab" * 20


@pytest.mark.parametrize("path", ROUTES)
def test_paths_have_their_routes(path):
    for route in ROUTES[path]:
        assert find_route(route.method, path) == (route, "")


@pytest.mark.parametrize("verb", ROOT_ROUTES)
def test_a_root_is_named_by_the_path(verb):
    (route,) = ROOT_ROUTES[verb]
    assert find_route(route.method, f"/root/0123/{verb}") == (route, "0123")


def test_the_routes_of_the_original_are_there():
    assert {"/engine/start", "/engine/stop", "/engine/status", "/engine/tick-stats"} <= set(ROUTES)
    assert {"/torrent/add", "/logs"} <= set(ROUTES)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/engine",
        "/engine/start/",
        "/torrent/",
        f"/torrent/{ID}",
        f"/torrent/{ID}/x/y",
        "/root/x",
    ],
)
def test_there_is_nothing_elsewhere(path):
    with pytest.raises(Refusal) as caught:
        find_route("GET", path)
    assert (caught.value.status, caught.value.code) == (404, "NotFound")


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "HEAD"])
def test_the_method_counts(method):
    with pytest.raises(Refusal, match="asked with POST") as caught:
        find_route(method, "/engine/start")
    assert (caught.value.status, caught.value.code) == (405, "MethodNotAllowed")


def test_only_torrents_and_selections_are_long():
    assert find_route("POST", "/torrent/add")[0].max_body == MAX_LONG_BODY
    assert find_route("POST", "/engine/start")[0].max_body == MAX_BODY
