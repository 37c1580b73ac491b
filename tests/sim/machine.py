"""A machine on which engine after engine runs, with one disk and one session."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from millstream.adapters.memory import (
    LinkProfile,
    MemoryDiskQueue,
    MemoryFileSystem,
    MemoryHttp,
    MemorySessionStore,
    MemoryWeb,
)
from millstream.engine.config import EngineConfig, NetworkConfig
from millstream.engine.engine import Engine
from millstream.engine.torrent import Torrent
from millstream.interfaces.disk import DiskConfig, Hash
from millstream.presets.memory import create_memory_engine
from millstream.storage.placement import Placement
from millstream.storage.resume import ResumeState
from millstream.storage.session_keys import state_key
from millstream.testing.failing_files import FailingFiles
from millstream.testing.swarm import PLAIN, PORT, ROOT, SimulatedSwarm
from millstream.tracker.config import TrackerConfig


class Faults(FailingFiles):
    """Fails when it is told; tells before each change."""

    before_change: Callable[[], None] | None = None
    delay = 0.0

    def arm(self, number: int, *, failures: int = 1) -> None:
        """Let the change after so many others fail."""
        self._fail_at, self._failures, self.changes = number, failures, 0

    def disarm(self) -> None:
        """Fail no more."""
        self._fail_at = None

    def _change(self, path: str) -> None:
        if self.before_change is not None:
            self.before_change()
        super()._change(path)

    async def transfer(self, root, to_root, transfers, done, progress=None) -> None:
        """One after the other, and slowly if told."""
        for transfer in transfers:
            await asyncio.sleep(self.delay)
            await super().transfer(root, to_root, [transfer], done, progress)


class Machine:
    """Boots engines one after the other.

    Args:
        swarm: whose torrent it is about.
        suffix: what incomplete files end with.

    Attributes:
        faults: what the engine of the last boot sees of the files.
        hashed: the pieces that it read from the disk to see what they are.
    """

    runs = 0

    def __init__(self, swarm: SimulatedSwarm, suffix: str = "") -> None:
        self.swarm = swarm
        self.disk = DiskConfig(incomplete_suffix=suffix)
        self.web: MemoryWeb | None = None
        self.files = MemoryFileSystem()
        self.store = MemorySessionStore()
        self.faults = Faults(self.files)
        self.hashed: list[int] = []

    def boot(self) -> Engine:
        """An engine on this disk."""
        Machine.runs += 1
        number = Machine.runs
        host = self.swarm.network.host(f"10.9.{number >> 8 & 255}.{number & 255}", LinkProfile())
        config = EngineConfig(
            network=NetworkConfig(listen_hosts=(host.address,), listen_port=PORT),
            encryption=PLAIN,
            trackers=TrackerConfig(allow_local=True),
            disk=self.disk,
            seed=7,
        )
        queue = MemoryDiskQueue(self.files, self.disk)
        self.hashed = hashed = []
        submit = queue.submit_hash

        def note(job: Hash) -> None:
            hashed.append(job.piece)
            submit(job)

        queue.submit_hash = note
        self.faults = Faults(self.files)
        return create_memory_engine(
            config,
            network=host,
            files=self.faults,
            save_path=ROOT,
            session=self.store,
            disk=queue,
            http=None if self.web is None else MemoryHttp(self.web, host.address),
        )

    @asynccontextmanager
    async def seeding(self) -> AsyncIterator[Torrent]:
        """The torrent, complete, in an engine that was just booted."""
        async with self.boot() as engine:
            torrent = await engine.add(self.swarm.metainfo)
            await torrent.wait_complete()
            yield torrent

    @asynccontextmanager
    async def again(self) -> AsyncIterator[Torrent]:
        """The torrent as the session has it, in an engine that was just booted."""
        async with self.boot() as engine:
            [torrent] = (await engine.restore_session()).torrents
            yield torrent

    def copy(self) -> Machine:
        """What is left if the power goes now: nothing of what was not said to be stored."""
        other = Machine(self.swarm)
        other.disk = self.disk
        other.files = copy.deepcopy(self.files)
        other.store._values = dict(self.store._values)
        return other

    def state(self) -> ResumeState:
        """What the session says of the torrent."""
        return ResumeState.decode(self.store._values[state_key(self.swarm.metainfo.info_hash)])

    def tree(self, root: str = ROOT) -> dict[str, bytes]:
        """All files under a root, by path."""
        found: dict[str, bytes] = {}

        def walk(directory, prefix: str) -> None:
            for name, entry in directory.entries.items():
                if hasattr(entry, "entries"):
                    walk(entry, f"{prefix}{name}/")
                else:
                    found[prefix + name] = bytes(entry.data)

        if root in self.files._roots:
            walk(self.files._roots[root], "")
        return found

    def directories(self, root: str = ROOT) -> set[str]:
        """All directories under a root, by path."""
        found: set[str] = set()

        def walk(directory, prefix: str) -> None:
            for name, entry in directory.entries.items():
                if hasattr(entry, "entries"):
                    found.add(prefix + name)
                    walk(entry, f"{prefix}{name}/")

        if root in self.files._roots:
            walk(self.files._roots[root], "")
        return found


def placement_of(torrent) -> Placement:
    """Where a torrent's files are."""
    return torrent._session.disk.placement


def right_pieces(torrent, swarm: SimulatedSwarm, files: MemoryFileSystem) -> None:
    """Every piece that it claims is where it says that it is."""
    placement = placement_of(torrent)
    length = swarm.geometry.piece_length
    for piece, state in enumerate(torrent.piece_states()):
        if state == 2:
            content = b""
            for path, offset, size in placement.piece_extents(piece):
                stored = files.read_file(placement.root, path) or b""
                content += stored[offset : offset + size]
            assert content == swarm.content[piece * length : (piece + 1) * length], piece


async def until(condition: Callable[[], object]) -> None:
    """Wait in steps."""
    while not condition():  # noqa: ASYNC110 - time is virtual
        await asyncio.sleep(0.05)
