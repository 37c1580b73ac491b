"""Whole swarms of real engines on a simulated internet, in virtual time.

```python
async def story(rng: random.Random) -> None:
    async with SimulatedSwarm(rng) as swarm:
        seed = await swarm.add(have=ALL, profile=LinkProfile(up=1e6))
        leeches = [await swarm.add() for _ in range(20)]
        await swarm.wait_complete(*leeches)

run_virtual(story, seed=7)
```

The same seed gives the same swarm, event for event. Members join by magnet link with
`add(magnet=True)`. In a `SimulatedSwarm(rng, tracked=True)` they find each other by a tracker of its
own; with others, `add(knows=[], trackers=[...], web=...)` (`millstream.testing.tracker`).

Hundreds of members take seconds with `resolution=0.02`; a thousand take a minute.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from millstream.adapters.memory import (
    LinkProfile,
    MemoryDiskQueue,
    MemoryFileSystem,
    MemoryHost,
    MemoryNetwork,
)
from millstream.adapters.memory.http import MemoryHttp, MemoryWeb
from millstream.core.config import SwarmConfig, TransferConfig
from millstream.core.geometry import Geometry
from millstream.engine.config import (
    Encryption,
    EncryptionConfig,
    EngineConfig,
    NetworkConfig,
)
from millstream.engine.engine import Engine
from millstream.engine.torrent import Torrent
from millstream.interfaces.disk import DiskConfig
from millstream.presets.memory import create_memory_engine
from millstream.protocol import bencode
from millstream.protocol.bencode import Bencoded
from millstream.protocol.compact import PeerAddress
from millstream.protocol.file_selection import FileSelection
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.storage.config import StorageConfig
from millstream.testing.content import multi_file_torrent, single_file_torrent
from millstream.testing.faulty_disk import FaultyDisk
from millstream.testing.tracker import MemoryTracker
from millstream.tracker.config import TrackerConfig

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
        disk: fails and is slow as told.
        finished_at: virtual seconds when it had every piece, once it had.
        watch: notes that.
    """

    number: int
    address: PeerAddress
    host: MemoryHost
    files: MemoryFileSystem
    disk: FaultyDisk
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
        files: the lengths of the files, for a torrent of several; then `length` is their sum.
        extra: what else its info dictionary holds, `private` for one; a long value makes a torrent
            of much metadata and little content.
        tracked: whether there is a tracker. Members announce to it, and know nobody else unless they
            are told.
        resolution: of the network's times, in seconds; see `MemoryNetwork`.

    Attributes:
        tracker: the one of a tracked swarm; the others have None.
    """

    def __init__(
        self,
        rng: random.Random,
        *,
        length: int = 2 << 20,
        piece_length: int = 64 << 10,
        files: Sequence[int] = (),
        extra: dict[bytes, Bencoded] | None = None,
        tracked: bool = False,
        resolution: float = 0.0,
    ) -> None:
        self.rng = rng
        length = sum(files) or length
        self.content = rng.randbytes(length)
        self.geometry = Geometry(length, piece_length)
        self.name = "content" if files else "content.bin"
        self._lengths = {f"{self.name}/{number}": size for number, size in enumerate(files)} or {
            self.name: length
        }
        self.metainfo = Metainfo.parse(self._make_torrent(piece_length, extra or {}))
        self.network = MemoryNetwork(rng, resolution=resolution)
        self.members: list[Member] = []
        self._web = MemoryWeb()
        self.tracker = MemoryTracker(self._web, rng) if tracked else None
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
        network: NetworkConfig | None = None,
        swarm: SwarmConfig | None = None,
        storage: StorageConfig | None = None,
        magnet: bool = False,
        select: Iterable[int] | None = None,
        trackers: Iterable[str] = (),
        web: MemoryWeb | None = None,
        want: int = 50,
        disk_latency: float = 0.0,
        disk_rate: float | None = None,
        capacity: int | None = None,
        max_queued_bytes: int | None = None,
    ) -> Member:
        """Start an engine and give it the torrent.

        Args:
            have: the pieces it has from the start; `ALL` for a seed.
            content: what it takes for the file's content; a liar's differs from the swarm's.
            trusted: whether it believes its files without a check, as a liar does.
            profile: its line; None: unlimited.
            knows: the members it is told of; None: all that are there, or nobody in a tracked swarm.
            sequential: whether it fetches pieces in order.
            transfer: its settings.
            encryption: its settings; plain connections by default, for the simulation's speed.
            network: its settings; where it listens is decided here.
            swarm: its settings.
            storage: its settings.
            magnet: whether it joins by a magnet link, and so knows the infohash only.
            select: the files it wants, by their numbers; of a magnet, by the link itself (`so=`).
            trackers: announce URLs; of a tracked swarm its tracker comes besides.
            web: where its HTTP client finds them; None: the web of a tracked swarm's tracker.
            want: how many peers it asks a tracker for.
            disk_latency: seconds before each disk job.
            disk_rate: bytes a second of its disk.
            capacity: bytes its disk can hold.
            max_queued_bytes: bytes that may wait for its disk (`DiskConfig`).
        """
        number = len(self.members)
        host = self.network.host(f"10.0.{number >> 8}.{number & 255}", profile or LinkProfile())
        files = MemoryFileSystem(capacity)
        self._store(files, have, content or self.content)
        config = EngineConfig(
            network=replace(
                network or NetworkConfig(), listen_hosts=(host.address,), listen_port=PORT
            ),
            transfer=transfer or TransferConfig(),
            encryption=encryption,
            swarm=swarm or SwarmConfig(),
            storage=storage or StorageConfig(),
            trackers=TrackerConfig(allow_local=True, want=want),
            seed=self.rng.getrandbits(64),
        )
        if self.tracker is not None:
            trackers = [self.tracker.url, *trackers]
            web = web or self._web
            knows = knows or ()
        if max_queued_bytes is not None:
            config = replace(config, disk=DiskConfig(max_queued_bytes=max_queued_bytes))
        disk = FaultyDisk(
            MemoryDiskQueue(files, config.disk, latency=disk_latency, rate=disk_rate), config.disk
        )
        engine = await self._stack.enter_async_context(
            create_memory_engine(
                config,
                network=host,
                files=files,
                save_path=ROOT,
                disk=disk,
                http=None if web is None else MemoryHttp(web, host.address),
            )
        )
        known = self.members if knows is None else knows
        torrent = await engine.add(
            self.magnet(select) if magnet else self.metainfo,
            peers=[member.address for member in known],
            trackers=trackers,
            select=None if magnet else select,
            sequential=sequential,
            seed_mode=trusted,
        )
        address = PeerAddress(host.address, PORT)
        member = Member(number, address, host, files, disk, engine, torrent)
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

    def magnet(self, select: Iterable[int] | None = None) -> Magnet:
        """The link by which members join: the infohash, and the files if not all."""
        link = Magnet(self.metainfo.info_hash)
        if select is None:
            return link
        numbers = ",".join(map(str, select))
        return replace(link, select=FileSelection.read(numbers))

    def stored(self, member: Member) -> bytes | None:
        """What a member's disk holds of the torrent; None if a file is missing."""
        parts = [member.files.read_file(ROOT, path) for path in self._lengths]
        return b"".join(part for part in parts if part is not None) if None not in parts else None

    def _make_torrent(self, piece_length: int, extra: dict[bytes, Bencoded]) -> bytes:
        if len(self._lengths) == 1 and self.name in self._lengths:
            torrent = single_file_torrent(self.name, self.content, piece_length)
        else:
            parts = [((path.partition("/")[2],), data) for path, data in self._split(self.content)]
            torrent = multi_file_torrent(self.name, parts, piece_length)
        if not extra:
            return torrent
        said = bencode.decode(torrent)
        assert isinstance(said, dict)
        info = said[b"info"]
        assert isinstance(info, dict)
        info.update(extra)
        return bencode.encode(said)

    def _split(self, content: bytes) -> list[tuple[str, bytes]]:
        """Each file's path and bytes."""
        found, begin = [], 0
        for path, length in self._lengths.items():
            found.append((path, content[begin : begin + length]))
            begin += length
        return found

    def _store(self, files: MemoryFileSystem, have: Iterable[int], content: bytes) -> None:
        pieces = list(have)
        if not pieces:
            return
        if pieces != list(ALL):
            partial = bytearray(len(content))
            length = self.geometry.piece_length
            for piece in pieces:
                begin = piece * length
                partial[begin : begin + length] = content[begin : begin + length]
            content = bytes(partial)
        for path, data in self._split(content):
            files.write_file(ROOT, path, data)

    async def _note_finish(self, member: Member) -> None:
        await member.torrent.wait_complete()
        member.finished_at = asyncio.get_running_loop().time()
