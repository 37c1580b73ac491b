from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from millstream import EngineConfig
from millstream.cli.exit_codes import CommandError
from millstream.cli.serving import control_config, serve, server_token
from millstream.rpc.client import ControlClient
from millstream.rpc.config import ControlConfig


def config(**values):
    defaults = {"host": "127.0.0.1", "port": 0, "token": None, "allow_host": None}
    return control_config(**(defaults | values), save_path=Path(), session=None)


def test_a_token_is_made_for_its_owner_alone(tmp_path):
    file = tmp_path / "token"
    token = server_token(file)
    assert len(token) == 43
    assert file.stat().st_mode & 0o777 == 0o600
    assert server_token(file) == token


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"host": "192.0.2.1"}, "--host is 192.0.2.1.*--token-file must be given"),
        ({"host": "nas"}, "--host is 'nas'"),
        ({"token": "short"}, "--token must be 16"),
    ],
)
def test_options_that_do_not_fit_together(values, words):
    with pytest.raises(CommandError, match=words) as caught:
        config(**values)
    assert caught.value.code == 2


async def test_serves_until_it_is_told_to_end():
    ready = asyncio.Event()
    servers = []

    def listening(server):
        servers.append(server)
        ready.set()

    serving = asyncio.create_task(
        serve(ControlConfig(port=0), EngineConfig(), start=False, listening=listening)
    )
    async with asyncio.timeout(5):
        await ready.wait()
        async with ControlClient(servers[0].url) as client:
            assert not (await client.get("/engine/status"))["running"]
            await client.post("/shutdown")
        await serving
