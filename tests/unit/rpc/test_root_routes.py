from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from millstream.errors import ConfigError, EngineError
from millstream.http_server.fields import Fields
from millstream.rpc.refusals import Refusal
from millstream.rpc.root_routes import ROOT_ROUTES, ROOTS_ROUTES
from millstream.rpc.route import Ask
from millstream.storage.roots import StorageRootManager


@pytest.fixture
def roots():
    return StorageRootManager(random.Random(1))


@pytest.fixture
def ask(roots):
    """Carry out a route: `await ask("/roots/add", path="/srv")`, `await ask("remove", token)`."""

    async def accept_root(token):
        roots.set_identity(roots.get(token).token, "accepted")

    control = SimpleNamespace(engine=SimpleNamespace(roots=roots, accept_root=accept_root))

    async def carry_out(where, name="", /, **body):
        (route,) = ROOTS_ROUTES.get(where) or ROOT_ROUTES[where]
        return await route.handler(Ask(control, Fields(body), {}, name))

    return carry_out


async def test_roots_come_and_go(ask):
    added = await ask("/roots/add", path="/srv/media", label="films", default=True)
    assert added == {
        "token": added["token"],
        "label": "films",
        "path": "/srv/media",
        "default": True,
        "implicit": False,
        "torrents": 0,
    }
    assert await ask("/roots") == {"roots": [added]}
    assert await ask("remove", added["token"]) == {}
    assert await ask("/roots") == {"roots": []}


async def test_roots_change(ask, roots):
    first, second = roots.add("/a"), roots.add("/b")
    assert (await ask("default", first.token))["default"]
    assert (await ask("default", second.token))["default"]
    assert (await ask("relabel", first.token, label="films"))["label"] == "films"
    assert (await ask("repoint", first.token, path="/mnt"))["path"] == "/mnt"
    assert (await ask("accept", first.token))["path"] == "/mnt"
    assert roots.identities[first.token] == "accepted"
    assert [root["default"] for root in (await ask("/roots"))["roots"]] == [False, True]


async def test_a_root_with_torrents_stays(ask, roots):
    root = roots.for_path("/a")
    roots.assign("ab" * 20, root.token)
    assert (await ask("/roots"))["roots"][0]["torrents"] == 1
    with pytest.raises(EngineError, match="a torrent is in it"):
        await ask("remove", root.token)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/roots/add", {}, "path"),
        ("/roots/add", {"path": "here"}, "path"),
        ("/roots/add", {"path": "/x", "label": "x" * 256}, "label"),
        ("/roots/add", {"path": "/x", "lable": "y"}, "lable"),
        ("relabel", {}, "label"),
        ("repoint", {"path": "../x"}, "path"),
        ("remove", {"force": True}, "force"),
        ("default", {"path": "/x"}, "path"),
    ],
)
async def test_what_is_wrong_is_named(ask, roots, path, body, field):
    root = roots.add("/a")
    with pytest.raises(Refusal) as caught:
        await ask(path, root.token, **body)
    assert (caught.value.status, caught.value.field) == (400, field)
    assert roots.roots == [root]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("default", {}),
        ("relabel", {"label": "x"}),
        ("repoint", {"path": "/x"}),
        ("accept", {}),
        ("remove", {}),
    ],
)
async def test_no_such_root(ask, path, body):
    with pytest.raises(ConfigError, match="no storage root"):
        await ask(path, "0123", **body)
