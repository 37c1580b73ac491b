"""One run of one side: which processes are started, in which order, and what is read of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.content import LARGE_PIECES, NAME, SMALL_PIECES, Content, Torrent, same_bytes
from bench.process import REPOSITORY, Child, ChildFailed, Cost, environment

GIB = 1 << 30
# A run that is slower than this is no run but a failure.
SLOWEST = 5_000_000
PATIENCE = 60.0


@dataclass(frozen=True)
class Sample:
    """One run of one side.

    Attributes:
        seconds: wall time from being told what to do until it is done.
        bytes: moved, hashed or checked in that time.
        costs: the whole processes of this side, by role.
        waited: of these, how long it took from being told of a peer to beginning to connect.
    """

    seconds: float
    bytes: int = 0
    costs: dict[str, Cost] = field(default_factory=dict)
    waited: float = 0.0

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.bytes / self.seconds

    @property
    def rate_once_connecting(self) -> float:
        """Bytes a second from beginning to connect."""
        return self.bytes / (self.seconds - self.waited)

    @property
    def cpu_per_gib(self) -> float:
        """CPU seconds of all the side's processes, for each GiB."""
        return sum(cost.cpu for cost in self.costs.values()) / self.bytes * GIB

    @property
    def rss(self) -> int:
        """Peak resident bytes of the side's largest process."""
        return max(cost.rss for cost in self.costs.values())


class Stage:
    """Where scenarios are played: the content, and a directory for downloads.

    Args:
        work: the run's directory.
        content: the file and its torrents.
    """

    def __init__(self, work: Path, content: Content) -> None:
        self.work = work
        self.content = content
        self._neutral_seed: Child | None = None
        self._neutral_ports: list[int] = []
        self._neutral_for: tuple[Torrent, int] | None = None

    def close(self) -> None:
        """End the neutral seeder."""
        if self._neutral_seed is not None:
            self._neutral_seed.__exit__(None, None, None)
            self._neutral_seed = self._neutral_for = None

    def child(self, torrent: Torrent, module: str, *arguments: object, copies: int = 1) -> Child:
        """Start a child that has time enough for `copies` of the torrent."""
        seconds = PATIENCE + copies * torrent.length / SLOWEST
        return Child(self.work, seconds, module, *arguments)

    def neutral_ports(self, torrent: Torrent, ports: int) -> list[int]:
        """A neutral seeder of the torrent, the same process for all runs of a scenario."""
        if self._neutral_for != (torrent, ports):
            self.close()
            # It lives as long as the scenario; the leeches are the ones with a deadline.
            self._neutral_seed = Child(
                self.work, 86400, "neutral_seed", torrent.content, torrent.info_hash,
                torrent.piece_length, torrent.length, ports,
            )  # fmt: skip
            self._neutral_ports = self._neutral_seed.read()["ports"]
            self._neutral_for = (torrent, ports)
        return self._neutral_ports

    @contextmanager
    def downloads(self) -> Iterator[Path]:
        """An empty directory to download into, gone afterwards."""
        directory = self.work / "downloads"
        directory.mkdir()
        try:
            yield directory
        finally:
            shutil.rmtree(directory)

    # The scenarios.

    def download(self, side: str, verify: bool, which: str, connections: int) -> Sample:
        """From the neutral seeder."""
        torrent = self.content.torrents[which]
        ports = self.neutral_ports(torrent, connections)
        with self.downloads() as directory:
            return self._leech(torrent, side, directory, ports, verify)

    def seed(self, side: str, verify: bool, which: str, leeches: int) -> Sample:
        """To neutral leeches."""
        torrent = self.content.torrents[which]
        with self._seeder(torrent, side) as seeder:
            port = seeder.read()["port"]
            checked = [torrent.content] if verify else []
            with self.child(
                torrent, "neutral_leech", port, torrent.info_hash, torrent.piece_length,
                torrent.length, leeches, *checked, copies=leeches,
            ) as leech:  # fmt: skip
                seconds = leech.read()["seconds"]
                leech.finish()
            return Sample(seconds, leeches * torrent.length, {"seeder": seeder.stop()})

    def end_to_end(self, side: str, verify: bool, which: str) -> Sample:
        """A side's own seeder to its own leech."""
        torrent = self.content.torrents[which]
        with self._seeder(torrent, side) as seeder, self.downloads() as directory:
            ports = [seeder.read()["port"]]
            sample = self._leech(torrent, side, directory, ports, verify)
            return replace(sample, costs=sample.costs | {"seeder": seeder.stop()})

    def encrypted(self, side: str, verify: bool, which: str) -> Sample:
        """By RC4 to the end, from one and the same encrypting seeder for both sides."""
        torrent = self.content.torrents[which]
        with (
            self._seeder(torrent, "millstream", "seed-rc4") as seeder,
            self.downloads() as directory,
        ):
            ports = [seeder.read()["port"]]
            sample = self._leech(torrent, side, directory, ports, verify, "leech-rc4")
            seeder.stop()
            return sample

    def magnet(self, side: str, _verify: bool) -> Sample:
        """From a magnet link to the first verified piece; the seeder is libtorrent's for both."""
        torrent = self.content.torrents[SMALL_PIECES]
        link = f"magnet:?xt=urn:btih:{torrent.info_hash}"
        with self._seeder(torrent, "libtorrent") as seeder, self.downloads() as directory:
            port = seeder.read()["port"]
            with self.child(torrent, f"{side}_client", "magnet", link, directory, port) as leech:
                report = leech.read()
                cost = leech.finish()
            seeder.stop()
            return Sample(report["seconds"], 0, {"leech": cost}, report["waited"])

    def recheck(self, side: str, _verify: bool) -> Sample:
        """All data is there and right, and a client that finds otherwise says so."""
        torrent = self.content.torrents[LARGE_PIECES]
        return self._work_alone(torrent, side, "recheck", torrent.path, torrent.content.parent)

    def create(self, side: str, _verify: bool) -> Sample:
        """A torrent of the content, as fast as it can be had."""
        torrent = self.content.torrents[LARGE_PIECES]
        made = self.work / "created.torrent"
        try:
            sample = self._work_alone(
                torrent, side, "create", torrent.content, torrent.piece_length, made
            )
            if torrent.digests not in made.read_bytes():
                raise ChildFailed(f"the torrent that {side} made has other digests")
            return sample
        finally:
            made.unlink(missing_ok=True)

    def version(self, _side: str, _verify: bool) -> Sample:
        """`millstream --version`, from the shell's point of view."""
        script = Path(sys.executable).with_name("millstream")
        command = [str(script)] if script.exists() else [sys.executable, "-m", "millstream"]
        start = time.perf_counter()
        subprocess.run(
            [*command, "--version"],
            check=True,
            capture_output=True,
            cwd=REPOSITORY,
            env=environment(self.work),
            timeout=PATIENCE,
        )
        return Sample(time.perf_counter() - start)

    def _seeder(self, torrent: Torrent, side: str, command: str = "seed") -> Child:
        directory = torrent.content.parent
        return self.child(torrent, f"{side}_client", command, torrent.path, directory, copies=8)

    def _leech(
        self,
        torrent: Torrent,
        side: str,
        directory: Path,
        ports: list[int],
        verify: bool,
        command: str = "leech",
    ) -> Sample:
        with self.child(
            torrent, f"{side}_client", command, torrent.path, directory, *ports
        ) as leech:
            report = leech.read()
            cost = leech.finish()
        if verify and not same_bytes(directory / NAME, torrent):
            raise ChildFailed(f"what {side} downloaded is not the content")
        return Sample(report["seconds"], torrent.length, {"leech": cost}, report["waited"])

    def _work_alone(self, torrent: Torrent, side: str, *arguments: object) -> Sample:
        with self.child(torrent, f"{side}_client", *arguments) as child:
            seconds = child.read()["seconds"]
            return Sample(seconds, torrent.length, {"client": child.finish()})
