from __future__ import annotations

from types import SimpleNamespace

from millstream.http_server.fields import Fields
from millstream.rpc.route import MAX_BODY, Ask, Route


async def test_a_route_is_told_whom_it_is_about():
    async def name(ask):
        return {"torrent": ask.torrent}

    control = SimpleNamespace(torrent=lambda id_: f"torrent {id_}")
    route = Route("GET", name)
    assert await route.handler(Ask(control, Fields({}), {}, "ab")) == {"torrent": "torrent ab"}
    assert route.max_body == MAX_BODY
