"""The cases of the matrix, and how each is run.

Each case has hosts, files and an infohash of its own, so that many run at the same time: most of
their time the clients wait for clocks of theirs.
"""

from __future__ import annotations

import asyncio
import enum
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from millstream import Metainfo, create_torrent

from .aria2_client import Aria2
from .client import Client, Encryption
from .contents import Tree, assert_same_files
from .libtorrent_client import Libtorrent
from .millstream_client import Millstream
from .namespaces import Host, Internet, until
from .qbittorrent_client import QBittorrent
from .rtorrent_client import RTorrent
from .tracker import Tracker
from .transmission_client import Transmission

CLIENTS: dict[str, type[Client]] = {
    client.name: client for client in (RTorrent, Transmission, QBittorrent, Aria2, Libtorrent)
}

# Says of a failure whether the harness or Millstream is at fault: with libtorrent for Millstream,
# all must pass.
STAND_IN = "MILLSTREAM_INTEROP_STAND_IN"
OURS: type[Libtorrent | Millstream] = Libtorrent if os.environ.get(STAND_IN) else Millstream

# Files of odd lengths that share pieces, with names that are not ASCII: 2.8 MB.
SIZES = {"a.bin": 1_500_001, "sub/Ünïcödé 日本語.txt": 77_777, "sub/c": 1, "d.bin": 1_234_567}
PIECE_LENGTH = 32 * 1024

READY_SECONDS = 30.0
KNOWN_SECONDS = 15.0
COMPLETE_SECONDS = 60.0
PEX_SECONDS = 130.0  # a client may tell of its peers for the first time after 90 s

# Bytes a second of the one in the middle: with it alone a leech would take minutes longer.
MIDDLE_RATE = 16 * 1024
MEET_SECONDS = 4.0


class Role(enum.Enum):
    """Of the foreign client; Millstream has the other one."""

    SEEDER = "seeder"
    LEECH = "leech"


class Way(enum.Enum):
    """How the two find each other, and how they talk."""

    PEER = "by address"
    HTTP = "HTTP tracker"
    UDP = "UDP tracker"
    MAGNET = "magnet"
    PEX = "PEX"
    THEY_REQUIRE = "they require RC4"
    THEY_OBFUSCATE = "they require MSE, plain payload"
    WE_REQUIRE = "we require RC4"
    THEY_DISABLE = "they disable MSE"
    WE_DISABLE = "we disable MSE"


AS_THEY_COME = (Encryption.DEFAULT, Encryption.DEFAULT)
ENCRYPTIONS = {  # theirs, ours
    Way.THEY_REQUIRE: (Encryption.REQUIRED, Encryption.DEFAULT),
    Way.THEY_OBFUSCATE: (Encryption.OBFUSCATED, Encryption.DEFAULT),
    Way.WE_REQUIRE: (Encryption.DEFAULT, Encryption.REQUIRED),
    Way.THEY_DISABLE: (Encryption.DISABLED, Encryption.DEFAULT),
    Way.WE_DISABLE: (Encryption.DEFAULT, Encryption.DISABLED),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of the table."""

    client: str
    role: Role
    way: Way

    def __str__(self) -> str:
        return f"{self.client}-{self.role.value}-{self.way.name.lower()}"


class Share:
    """What one case shares: files, and torrents that differ in their trackers only."""

    def __init__(self, case: Case, tracker: Tracker, root: Path) -> None:
        self.tree = Tree(f"of {case}", SIZES)
        self.seeded = self.tree.write(root / "seeded")
        self.leeched = root / "leeched"
        self.leeched.mkdir()
        url = tracker.udp_url if case.way is Way.UDP else tracker.http_url
        self.tracked = self._make(root / "tracked.torrent", url)
        # rtorrent refuses a torrent without any tracker while its DHT is off.
        self.untracked = self._make(root / "untracked.torrent", tracker.dead_url)
        self.info_hash = Metainfo.parse(self.tracked.read_bytes()).info_hash
        self.magnet = f"magnet:?xt=urn:btih:{self.info_hash}&tr={url}"

    def _make(self, path: Path, url: str) -> Path:
        content = self.seeded / self.tree.name
        making = create_torrent(content, piece_length=PIECE_LENGTH, trackers=[(url,)])
        path.write_bytes(asyncio.run(making))
        return path


@contextmanager
def hosts_of(case: Case, internet: Internet, *labels: str) -> Iterator[list[Host]]:
    """Hosts for one case, removed with all that runs there."""
    hosts = [internet.host(label) for label in labels]
    try:
        yield hosts
    finally:
        internet.remove(hosts)


def run(case: Case, internet: Internet, tracker: Tracker, root: Path) -> float:
    """Run a case; the seconds it took.

    Raises:
        ClientError: a client failed or was too slow.
        AssertionError: the files differ.
    """
    begun = time.monotonic()
    root.mkdir()
    share = Share(case, tracker, root)
    runner = run_pex if case.way is Way.PEX else run_pair
    runner(case, internet, tracker, root, share)
    name = share.tree.name  # rtorrent leaves the metadata of a magnet beside it
    assert_same_files(share.seeded / name, share.leeched / name)
    shutil.rmtree(root)
    return time.monotonic() - begun


def run_pair(case: Case, internet: Internet, tracker: Tracker, root: Path, share: Share) -> None:
    """A seeder and a leech."""
    theirs, ours = ENCRYPTIONS.get(case.way, AS_THEY_COME)
    with hosts_of(case, internet, case.client, OURS.name) as (their_host, our_host):
        foreign = CLIENTS[case.client](their_host, root / "foreign", encryption=theirs)
        millstream = OURS(our_host, root / "millstream", encryption=ours)
        is_seeder = case.role is Role.SEEDER
        seeder, leech = (foreign, millstream) if is_seeder else (millstream, foreign)
        # Clients made with libtorrent come in plaintext first, and to who refuses that only a minute
        # later again: so we go to them.
        if case.way is Way.PEER or (case.way is Way.WE_REQUIRE and not is_seeder):
            millstream.peers = [foreign.address]
        if case.way is Way.PEER:
            seeder.seed(share.untracked, share.seeded)
            leech.leech(share.untracked, share.leeched)
        else:
            seeder.seed(share.tracked, share.seeded)
            wait_known(seeder, tracker, share)
            leech.leech(share.magnet if case.way is Way.MAGNET else share.tracked, share.leeched)
        wait_complete(leech, seeder, COMPLETE_SECONDS)
        leech.stop()  # some write the last of it only now
        seeder.stop()


def run_pex(case: Case, internet: Internet, tracker: Tracker, root: Path, share: Share) -> None:
    """Seeder and leech do not know each other; a slow leech in the middle knows both.

    The foreign client tells of peers as the one in the middle, and is told as the leech. The seeder
    is deaf to PEX, or it would find the leech by what it hears itself.
    """
    labels = ("seeder", "middle", "leech")
    with hosts_of(case, internet, *labels) as (seeder_host, middle_host, leech_host):
        kind = CLIENTS[case.client]
        tells = case.role is Role.SEEDER
        seeder = Libtorrent(seeder_host, root / "seeder")
        seeder.plugins = False
        middle = (kind if tells else OURS)(middle_host, root / "middle", rate=MIDDLE_RATE)
        leech = (OURS if tells else kind)(leech_host, root / "leech")
        seeder.seed(share.tracked, share.seeded)
        wait_known(seeder, tracker, share)
        if tells:
            leech.peers = [middle.address]
        if not tells:
            middle.peers = [leech.address]
        (root / "middle-has").mkdir()
        middle.leech(share.tracked, root / "middle-has")
        # What is known when two connect is told at once, what comes later once a minute.
        until(lambda: seeder.has_uploaded, MEET_SECONDS)
        leech.leech(share.untracked, share.leeched)
        wait_complete(leech, middle, PEX_SECONDS)
        assert not middle.is_complete(), "the leech may have got all of it from the middle"
        leech.stop()


def wait_known(seeder: Client, tracker: Tracker, share: Share) -> None:
    """Wait until the files are checked and the tracker knows the seeder."""
    seeder.wait_complete(READY_SECONDS)
    if not until(lambda: tracker.seeders(bytes(share.info_hash)) > 0, KNOWN_SECONDS):
        raise seeder.error("the tracker does not know it as a seeder")


def wait_complete(leech: Client, other: Client, seconds: float) -> None:
    """Wait for the leech; an error shows the other one's log, too."""
    try:
        leech.wait_complete(seconds, other)
    except Exception as error:
        error.add_note(str(other.error("the other one")))
        raise


def cases() -> list[Case]:
    """All of them, those of a client together, and what takes longest first."""
    ways = sorted(Way, key=lambda way: way is not Way.PEX)
    return [
        Case(name, role, way)
        for name, client in CLIENTS.items()
        for way in ways
        for role in Role
        if ENCRYPTIONS.get(way, AS_THEY_COME)[0] in client.settings
    ]
