"""Rate limits on real sockets. That they hold within 5 % is shown in virtual time: tests/sim.

Here nothing depends on how fast the machine is: a bucket gives what the loop's clock says, so a
transfer cannot end before its time, however late the timers are.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from millstream import EngineConfig
from millstream.core.limits_config import LimitsConfig
from millstream.core.rate_limit import TURN_TIME
from millstream.core.token_bucket import BURST_TIME

from .conftest import LOOPBACK, UNENCRYPTED, StartEngine, make_share

pytestmark = pytest.mark.timeout(60)

RATE = 4 << 20
SHARE = make_share(2 << 20, 65536)


@pytest.mark.parametrize(
    ("seed_limits", "leech_limits"),
    [
        (LimitsConfig(), LimitsConfig(download=RATE)),
        (LimitsConfig(), LimitsConfig(torrent_download=RATE)),
        (LimitsConfig(upload=RATE), LimitsConfig()),
        (LimitsConfig(torrent_upload=RATE), LimitsConfig()),
    ],
    ids=["download", "torrent-download", "upload", "torrent-upload"],
)
async def test_a_limited_transfer_comes_whole_and_not_too_soon(
    seed_limits: LimitsConfig,
    leech_limits: LimitsConfig,
    start_engine: StartEngine,
    tmp_path: Path,
) -> None:
    seeder = await start_engine(
        SHARE.store(tmp_path / "seeded"),
        EngineConfig(network=LOOPBACK, encryption=UNENCRYPTED, limits=seed_limits),
    )
    leecher = await start_engine(
        tmp_path / "leeched",
        EngineConfig(network=LOOPBACK, encryption=UNENCRYPTED, limits=leech_limits),
    )
    await (await seeder.add(SHARE.data)).wait_complete()
    leech = await leecher.add(SHARE.data)
    await leech.wait_checked()
    loop = asyncio.get_running_loop()
    began = loop.time()
    leech.add_peer(f"127.0.0.1:{seeder.listen_port}")
    await leech.wait_complete()
    seconds = loop.time() - began
    # A burst may be there at the start, and the last turn may be overdrawn.
    assert seconds >= len(SHARE.content) / RATE - BURST_TIME - TURN_TIME
    assert SHARE.stored(tmp_path / "leeched") == SHARE.content
