"""Whole swarms of real engines on a simulated internet, in virtual time.

```python
async def story(rng: random.Random) -> None:
    async with SimulatedSwarm(rng) as swarm:
        seed = await swarm.add(have=ALL, profile=LinkProfile(up=1e6))
        leeches = [await swarm.add() for _ in range(20)]
        await swarm.wait_complete(*leeches)

run_virtual(story, seed=7)
```

The same seed gives the same swarm, event for event.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from millstream.adapters.memory import (
    LinkProfile,
    MemoryFileSystem,
    MemoryHost,
    MemoryNetwork,
)
from millstream.core.config import TransferConfig
from millstream.core.geometry import Geometry
from millstream.engine.config import (
    Encryption,
    EncryptionConfig,
    EngineConfig,
    NetworkConfig,
)
from millstream.engine.engine import Engine
from millstream.engine.torrent import Torrent
from millstream.presets.memory import create_memory_engine
from millstream.protocol.compact import PeerAddress
from millstream.protocol.metainfo import Metainfo
from millstream.testing.content import single_file_torrent

PORT = 6881
ROOT = "memory"
PLAIN = EncryptionConfig(policy=Encryption.DISABLE)

ALL: tuple[int, ...] = (-1,)
"""As `have`: every piece."""


@dataclass(slots=True)
class Member:
    """One engine of a swarm, with everything that it stands on.

    Attributes:
        number: members are numbered from 0 in the order they were added.
        address: where it listens.
        finished_at: virtual seconds when it had every piece, once it had.
        watch: notes that.
    """

    number: int
    address: PeerAddress
    host: MemoryHost
    files: MemoryFileSystem
    engine: Engine
    torrent: Torrent
    finished_at: float | None = None
    watch: asyncio.Task[None] | None = field(default=None, repr=False)


class SimulatedSwarm:
    """A swarm around one torrent; use it as an async context manager.

    Args:
        rng: decides everything that chance decides.
        length: bytes of the torrent's one file.
        piece_length: bytes.
    """

    def __init__(
        self, rng: random.Random, *, length: int = 2 << 20, piece_length: int = 64 << 10
    ) -> None:
        self.rng = rng
        self.content = rng.randbytes(length)
        self.geometry = Geometry(length, piece_length)
        self.name = "content.bin"
        self.metainfo = Metainfo.parse(single_file_torrent(self.name, self.content, piece_length))
        self.network = MemoryNetwork(rng)
        self.members: list[Member] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for member in self.members:
            if member.watch is not None:
                member.watch.cancel()
        await self._stack.aclose()

    async def add(
        self,
        *,
        have: Iterable[int] = (),
        content: bytes | None = None,
        trusted: bool = False,
        profile: LinkProfile | None = None,
        knows: Iterable[Member] | None = None,
        sequential: bool = False,
        transfer: TransferConfig | None = None,
        encryption: EncryptionConfig = PLAIN,
        disk_latency: float = 0.0,
        disk_rate: float | None = None,
        capacity: int | None = None,
    ) -> Member:
        """Start an engine and give it the torrent.

        Args:
            have: the pieces it has from the start; `ALL` for a seed.
            content: what it takes for the file's content; a liar's differs from the swarm's.
            trusted: whether it believes its files without a check, as a liar does.
            profile: its line; None: unlimited.
            knows: the members it is told of; None: all that are there.
            sequential: whether it fetches pieces in order.
            transfer: its settings.
            encryption: its settings; plain connections by default, for the simulation's speed.
            disk_latency: seconds before each disk job.
            disk_rate: bytes a second of its disk.
            capacity: bytes its disk can hold.
        """
        number = len(self.members)
        host = self.network.host(f"10.0.{number >> 8}.{number & 255}", profile or LinkProfile())
        files = MemoryFileSystem(capacity)
        self._store(files, have, content or self.content)
        config = EngineConfig(
            network=NetworkConfig(listen_hosts=(host.address,), listen_port=PORT),
            transfer=transfer or TransferConfig(),
            encryption=encryption,
            seed=self.rng.getrandbits(64),
        )
        engine = await self._stack.enter_async_context(
            create_memory_engine(
                config,
                network=host,
                files=files,
                save_path=ROOT,
                disk_latency=disk_latency,
                disk_rate=disk_rate,
            )
        )
        known = self.members if knows is None else knows
        torrent = await engine.add(
            self.metainfo,
            peers=[member.address for member in known],
            sequential=sequential,
            seed_mode=trusted,
        )
        member = Member(number, PeerAddress(host.address, PORT), host, files, engine, torrent)
        member.watch = asyncio.get_running_loop().create_task(self._note_finish(member))
        self.members.append(member)
        return member

    async def wait_complete(self, *members: Member) -> None:
        """Return when these members (by default all) have every piece, right to the byte."""
        for member in members or self.members:
            await member.torrent.wait_complete()
            if member.watch is not None:
                await member.watch
            if self.stored(member) != self.content:
                raise AssertionError(f"member {member.number} has other bytes than the torrent's")

    def stored(self, member: Member) -> bytes | None:
        """What a member's disk holds of the file."""
        return member.files.read_file(ROOT, self.name)

    def _store(self, files: MemoryFileSystem, have: Iterable[int], content: bytes) -> None:
        pieces = list(have)
        if pieces == list(ALL):
            files.write_file(ROOT, self.name, content)
        elif pieces:
            partial = bytearray(len(content))
            length = self.geometry.piece_length
            for piece in pieces:
                begin = piece * length
                partial[begin : begin + length] = content[begin : begin + length]
            files.write_file(ROOT, self.name, bytes(partial))

    async def _note_finish(self, member: Member) -> None:
        await member.torrent.wait_complete()
        member.finished_at = asyncio.get_running_loop().time()
