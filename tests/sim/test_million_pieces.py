"""A torrent of a million pieces: 15 GiB in pieces of 16 KiB.

Nobody has room for that, so the seed has only the two short files at its ends, and a leech wants
these; all that is long, sets, messages, digests, resume state, works on the million. The test prints
what it took (`pytest -s` shows it).
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time

from millstream.adapters.memory import (
    LinkProfile,
    MemoryFileSystem,
    MemoryNetwork,
    MemorySessionStore,
)
from millstream.cli.piece_map import piece_cells
from millstream.core.torrent_state import TorrentState
from millstream.engine.config import EngineConfig, NetworkConfig
from millstream.engine.engine import Engine
from millstream.interfaces.filesystem import FileStat
from millstream.presets.memory import create_memory_engine
from millstream.protocol.bitfield import every_piece, piece_bit
from millstream.protocol.metainfo import FileEntry, Metainfo
from millstream.protocol.metainfo_building import build
from millstream.storage.resume import ResumeState
from millstream.storage.session_keys import state_key
from millstream.testing.swarm import PLAIN, PORT, ROOT
from millstream.testing.virtual_time import run_virtual

PIECES = 1_000_000
PIECE = 16 << 10
FEW = 40  # pieces of each short file


def make_torrent(rng: random.Random) -> tuple[Metainfo, list[bytes]]:
    """The torrent, and the contents of its first and last file."""
    ends = [rng.randbytes(FEW * PIECE), rng.randbytes(FEW * PIECE - 1000)]
    first, last = (
        b"".join(hashlib.sha1(end[at : at + PIECE]).digest() for at in range(0, len(end), PIECE))
        for end in ends
    )
    digests = first + rng.randbytes((PIECES - 2 * FEW) * 20) + last
    files = [
        FileEntry(("begin",), len(ends[0])),
        FileEntry(("middle",), (PIECES - 2 * FEW) * PIECE),
        FileEntry(("end",), len(ends[1])),
    ]
    return Metainfo.parse(build("long", files, PIECE, digests, is_multi_file=True)), ends


class Pretence(MemoryFileSystem):
    """Says that the long file is there, whose bytes nobody asks for."""

    async def stat_many(self, root, paths):
        found = await super().stat_many(root, paths)
        length = (PIECES - 2 * FEW) * PIECE
        return [
            FileStat(length, 0.0, is_directory=False) if path == "long/middle" else stat
            for path, stat in zip(paths, found, strict=True)
        ]


class World:
    def __init__(self, rng: random.Random) -> None:
        self.network = MemoryNetwork(rng)
        self.metainfo, self.ends = make_torrent(rng)
        self.number = 0

    def engine(self, files: MemoryFileSystem, store: MemorySessionStore | None = None) -> Engine:
        self.number += 1
        host = self.network.host(f"10.0.0.{self.number}", LinkProfile(latency=0.01))
        config = EngineConfig(
            network=NetworkConfig(listen_hosts=(host.address,), listen_port=PORT),
            encryption=PLAIN,
            seed=self.number,
        )
        return create_memory_engine(
            config, network=host, files=files, save_path=ROOT, session=store
        )

    def address(self) -> str:
        """Of the engine made last."""
        return f"10.0.0.{self.number}:{PORT}"


async def story(rng: random.Random) -> dict[str, float]:
    took: dict[str, float] = {}
    world = World(rng)
    metainfo = world.metainfo
    assert metainfo.piece_count == PIECES
    assert metainfo.digest(PIECES - 1) == hashlib.sha1(world.ends[1][-(PIECE - 1000) :]).digest()
    served = Pretence()
    served.write_file(ROOT, "long/begin", world.ends[0])
    served.write_file(ROOT, "long/end", world.ends[1])
    files, store = MemoryFileSystem(), MemorySessionStore()

    async with world.engine(served) as seed:
        seed_address = world.address()
        await seed.add(metainfo, seed_mode=True)
        async with world.engine(served) as almost:
            # A peer that has nearly everything says so by a bitfield of 125,000 bytes.
            almost_address = world.address()
            had = await almost.add(metainfo, start=False)
            session = had._membership.stage
            session.inventory.assume(every_piece(PIECES) & ~piece_bit(3, PIECES))
            async with world.engine(files, store) as engine:
                begun = time.perf_counter()
                torrent = await engine.add(
                    metainfo, select=[0, 2], peers=[seed_address, almost_address]
                )
                await torrent.wait_complete()
                took["download"] = time.perf_counter() - begun
                begun = time.perf_counter()
                for _ in range(20):
                    status = torrent.status()
                    states = torrent.piece_states()
                    cells = piece_cells(states, 80)
                took["status and map"] = (time.perf_counter() - begun) / 20
                assert (status.piece_count, status.pieces_have) == (PIECES, 2 * FEW)
                assert states.count(2) == 2 * FEW
                assert (cells[0].filled > 0, cells[40].filled > 0) == (True, False)
                assert len(torrent.availability()) == PIECES
                assert had.status().pieces_have >= PIECES - 1
                begun = time.perf_counter()
                await asyncio.sleep(60)  # a hundred beats among peers that have everything
                took["a minute of peers"] = time.perf_counter() - begun
    assert files.read_file(ROOT, "long/begin") == world.ends[0]
    assert files.read_file(ROOT, "long/end") == world.ends[1]
    assert not files.read_file(ROOT, "long/middle")

    begun = time.perf_counter()
    state = ResumeState.decode(await store.get(state_key(metainfo.info_hash)) or b"")
    assert state.claims is not None
    assert state.claims.flushed.bit_count() == 2 * FEW
    assert ResumeState.decode(state.encode()) == state
    took["resume state"] = time.perf_counter() - begun

    async with world.engine(files, store) as engine:
        begun = time.perf_counter()
        restored = await engine.restore_session()
        (torrent,) = restored.torrents
        await torrent.wait_checked()
        took["restore"] = time.perf_counter() - begun
        assert torrent.state is TorrentState.SEEDING
        assert torrent.status().pieces_have == 2 * FEW
        # All of it is wanted after all, and one piece of the middle turns out to be there.
        begun = time.perf_counter()
        picker = torrent._membership.stage.machine.transfer.download.picker
        for _ in range(20):
            picked = picker.pick(every_piece(PIECES), 100)
            assert len(set(picked)) == 100
        took["100 picks"] = (time.perf_counter() - begun) / 20
    return took


def test_a_million_pieces():
    took = run_virtual(story, seed=1)
    print("; ".join(f"{what} {seconds * 1000:.1f} ms" for what, seconds in took.items()))  # noqa: T201
