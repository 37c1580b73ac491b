"""What the log says of a swarm, and that it costs nothing where data flows."""

import asyncio
import logging
from collections import Counter
from contextlib import contextmanager

import pytest

from millstream.adapters.memory import LinkProfile
from millstream.adapters.memory.http import MemoryWeb
from millstream.core.config import TransferConfig
from millstream.engine.idle_watch import LOOK_INTERVAL
from millstream.errors import TorrentFailedError
from millstream.logging import RingBufferLogger
from millstream.storage.config import StorageConfig
from millstream.testing.swarm import ALL, SimulatedSwarm
from millstream.testing.tracker import MemoryTracker
from millstream.testing.virtual_time import run_virtual

LINE = LinkProfile(up=1 << 20, latency=0.01)
SELFISH = TransferConfig(upload_slots=0)
PIECES = 8


@contextmanager
def recorded(level=logging.DEBUG):
    """The log of Millstream, from a level on."""
    logger = logging.getLogger("millstream")
    before, ring = logger.level, RingBufferLogger(10_000)
    logger.addHandler(ring)
    logger.setLevel(level)
    try:
        yield ring
    finally:
        logger.setLevel(before)
        logger.removeHandler(ring)


@pytest.fixture
def calls(monkeypatch):
    """How often each method of loggers was called, listened to or not."""
    counted = Counter()

    def count(owner, name):
        original = getattr(owner, name)

        def counting(*arguments, **options):
            counted[name] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, counting)

    # Whatever is asked of a logger or an adapter ends in one of these.
    for owner in (logging.Logger, logging.LoggerAdapter):
        for name in ("isEnabledFor", "log", "debug", "info", "warning", "error", "exception"):
            count(owner, name)
    return counted


def download(piece_length, calls):
    """Run one download of `PIECES` pieces; returns what it asked of loggers."""

    async def story(rng):
        async with SimulatedSwarm(
            rng, length=PIECES * piece_length, piece_length=piece_length
        ) as swarm:
            await swarm.add(have=ALL)
            leech = await swarm.add()
            await swarm.wait_complete(leech)

    calls.clear()
    run_virtual(story, seed=1)
    return Counter(calls)


@pytest.mark.parametrize("level", [logging.WARNING, logging.DEBUG])
def test_no_logger_is_called_for_a_block(calls, level):
    """Sixteen times the blocks, and not one call more; neither with a log nor without."""
    with recorded(level):
        few = download(4 << 14, calls)
        many = download(64 << 14, calls)
    assert few == many
    assert 0 < few.total() < 150


def test_no_logger_is_called_for_a_piece(calls):
    async def story(rng, pieces):
        async with SimulatedSwarm(rng, length=pieces << 14, piece_length=1 << 14) as swarm:
            await swarm.add(have=ALL)
            await swarm.wait_complete(await swarm.add())

    totals = []
    for pieces in (8, 256):
        calls.clear()
        run_virtual(lambda rng, pieces=pieces: story(rng, pieces), seed=1)
        totals.append(Counter(calls))
    assert totals[0] == totals[1]


def test_the_log_changes_nothing():
    """The same swarm with the same seed ends at the same time, whoever listens."""

    def finished(level):
        times = []

        async def story(rng):
            async with SimulatedSwarm(rng) as swarm:
                await swarm.add(have=ALL, profile=LINE)
                await asyncio.gather(*[swarm.add(profile=LINE) for _ in range(4)])
                await swarm.wait_complete()
                times.extend(member.finished_at for member in swarm.members)

        with recorded(level):
            run_virtual(story, seed=5)
        return times

    assert finished(logging.CRITICAL) == finished(logging.DEBUG)


def test_the_story_of_a_download():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            leech = await swarm.add(magnet=True)
            await swarm.wait_complete(leech)
            return swarm.metainfo.info_hash, seed.address

    with recorded() as ring:
        info_hash, address = run_virtual(story, seed=1)
    told = [(entry.component, entry.message) for entry in ring.snapshot()]
    assert ("torrent", "fetching metadata, was stopped") in told
    assert ("torrent", "downloading, was checking") in told
    assert ("torrent", "complete") in told
    assert any(component == "metadata" and "found" in text for component, text in told)
    assert told.count(("engine", "closed")) == 2
    assert ("torrent", "removed") not in told, "the engines ended, no torrent was removed"
    [connected] = [
        entry
        for entry in ring.snapshot(component="peer", torrent=info_hash)
        if entry.peer == str(address) and entry.message.startswith("connected")
    ]
    assert connected.level_name == "DEBUG"
    assert connected.torrent == info_hash.hex()


def test_why_peers_are_dropped():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            liar = await swarm.add(
                have=ALL, content=bytes(len(swarm.content)), trusted=True, profile=LINE
            )
            leech = await swarm.add()
            await asyncio.sleep(60)
            leech.torrent.add_peer("10.9.9.9:1")
            await asyncio.sleep(60)
            return str(liar.address)

    with recorded() as ring:
        liar = run_virtual(story, seed=1)
    told = [(entry.peer, entry.message) for entry in ring.snapshot(component="peer")]
    assert any(
        peer == liar and text.startswith("banned: sent corrupt data for piece")
        for peer, text in told
    )
    assert any(
        peer == liar and text.startswith("gone: sent corrupt data for piece") for peer, text in told
    )
    assert any(
        peer == "10.9.9.9:1" and text.startswith("cannot be reached: ") for peer, text in told
    )


def test_a_disk_that_fails():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            await swarm.add(have=ALL, profile=LINE)
            leech = await swarm.add(
                capacity=1 << 20, storage=StorageConfig(min_free_space=0, require_room=False)
            )
            leech.watch.cancel()
            leech.watch = None
            with pytest.raises(TorrentFailedError):
                await leech.torrent.wait_complete()
            assert "content.bin" in leech.torrent.why_idle()

    with recorded() as ring:
        run_virtual(story, seed=1)
    [failure] = ring.snapshot(level="error")
    assert failure.component == "disk"
    assert "content.bin" in failure.message


async def why(swarm, member, *, after=60.0):
    await asyncio.sleep(after)
    return member.torrent.why_idle()


def test_why_a_torrent_is_not_moving():
    async def story(rng):
        web = MemoryWeb()
        tracker = MemoryTracker(web, rng)
        tracker.is_down = True
        async with SimulatedSwarm(rng) as swarm:
            alone = await swarm.add()
            assert await why(swarm, alone) == "no peers are known, and it has no trackers"
            asking = await swarm.add(knows=[], trackers=[tracker.url], web=web)
            words = await why(swarm, asking)
            assert words.startswith("no peers are known, and the tracker fails (")
            useless = await swarm.add(knows=[alone])
            assert (
                await why(swarm, useless) == "none of 1 connected peer has a piece that is missing"
            )
            mean = await swarm.add(have=ALL, transfer=SELFISH, knows=[])
            choked = await swarm.add(knows=[mean])
            assert await why(swarm, choked) == "1 peer with missing pieces, and all choke us"
            assert (
                await why(swarm, mean)
                == "it seeds, and no upload slot is free for 1 interested peer"
            )
            unreachable = await swarm.add(knows=[])
            unreachable.torrent.add_peer("10.9.9.9:1")
            assert (await why(swarm, unreachable, after=100)).startswith(
                "none of 1 known peer could be reached yet"
            )
            magnet = await swarm.add(knows=[], magnet=True)
            assert await why(swarm, magnet) == "no peers are known, and it has no trackers"
            await alone.torrent.stop()
            assert alone.torrent.why_idle() == "it is stopped"

    run_virtual(story, seed=1)


def test_a_torrent_that_moves_has_no_reason():
    async def story(rng):
        async with SimulatedSwarm(rng, length=8 << 20) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            leech = await swarm.add()
            for _ in range(5):
                await asyncio.sleep(1)
                assert leech.torrent.why_idle() == ""
                assert seed.torrent.why_idle() == ""
            leech.torrent.set_limits(download=None, upload=None)
            await swarm.wait_complete(leech)

    run_virtual(story, seed=1)


def test_the_log_says_why_a_torrent_is_not_moving_and_when_it_moves_again():
    async def story(rng, ring):
        async with SimulatedSwarm(rng, length=64 << 20, piece_length=1 << 20) as swarm:
            leech = await swarm.add()
            await asyncio.sleep(10 * LOOK_INTERVAL)
            told = [e.message for e in ring.snapshot(component="torrent") if "moving" in e.message]
            assert told == ["is not moving: no peers are known, and it has no trackers"]
            seed = await swarm.add(have=ALL, profile=LINE, knows=[])
            leech.torrent.add_peer(seed.address)
            await swarm.wait_complete(leech)

    with recorded(logging.INFO) as ring:
        run_virtual(lambda rng: story(rng, ring), seed=1)
    told = [entry.message for entry in ring.snapshot(component="torrent", level="info")]
    assert told.count("moves again") == 1
    assert told.index("moves again") < told.index("complete")
