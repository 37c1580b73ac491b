"""An engine and its io-daemon, one of which is killed, hangs, or has other clients that are hostile."""

from __future__ import annotations

import asyncio
import hashlib
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from millstream import EngineConfig, LimitsConfig, Torrent, TorrentState
from millstream.adapters.daemon import connection as daemon_connection
from millstream.adapters.daemon import web_socket
from millstream.engine.config import StorageConfig
from millstream.errors import RootUnavailableError
from millstream.events import TorrentFailed
from millstream.interfaces.disk import DiskConfig, Extent, Outcome
from millstream.io_wire.batches import MAX_RECORDS, WriteRecord, pack_writes
from millstream.io_wire.envelope import Frame, Opcode, encode_frame, pack_frames, split_message
from millstream.io_wire.handshake import Auth, AuthResult, Feature, Hello
from millstream.io_wire.results import unpack_write_results
from millstream.presets.daemon import create_daemon_engine

from .conftest import LOOPBACK, Share, StartEngine, make_share
from .lending import TOKEN, Lender, lending

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CONFIG = EngineConfig(network=LOOPBACK, storage=StorageConfig(check_interval=1))
PROGRAM = Path(__file__).with_name("lent_download.py")
MAX_MESSAGE = 1 << 20
# Of the daemon's /stats: what a client that is gone must not have left.
LENT = ("ws_connections", "tcp_sockets", "tcp_servers", "udp_sockets", "pending_connects")

Seeding = Callable[[int | None], Awaitable[str]]


@pytest.fixture
def share() -> Share:
    """8 MiB: 128 pieces of four blocks."""
    return make_share(128 * 65536 - 1000, 65536)


@pytest.fixture
async def lender(tmp_path: Path) -> AsyncIterator[Lender]:
    (tmp_path / "films").mkdir()
    async with lending({"f": tmp_path / "films"}) as lender:
        yield lender


@pytest.fixture
def seeding(share: Share, start_engine: StartEngine, tmp_path: Path) -> Seeding:
    async def start(upload: int | None = None) -> str:
        config = replace(CONFIG, limits=LimitsConfig(upload=upload))
        engine = await start_engine(share.store(tmp_path / "seed"), config)
        await (await engine.add(share.data)).wait_complete()
        return f"127.0.0.1:{engine.listen_port}"

    return start


async def verified(torrent: Torrent, count: int) -> None:
    """Return when so many more pieces are."""
    goal = torrent.status().pieces_have + count
    await until(lambda: torrent.status().pieces_have >= goal)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)


async def freed(lender: Lender, but: int = 0) -> None:
    """Return when the daemon lends nothing any more, but to so many connections."""
    while True:
        stats = await lender.stats()
        if stats["ws_connections"] == but and (but or not any(stats[name] for name in LENT)):
            return
        await asyncio.sleep(0.02)


# The daemon.


async def test_a_daemon_that_is_killed_again_and_again(
    lender, share, seeding, tmp_path, monkeypatch
):
    """It is away for longer than anybody waits: the torrent says why it stands still, and goes on."""
    monkeypatch.setattr(daemon_connection, "RECONNECT_DELAYS", (0.05,))
    seed = await seeding(4_000_000)
    rng = random.Random(7)
    engine = create_daemon_engine(CONFIG, daemon=lender.address, roots=["f"])
    engine._platform.disk._daemon.patience = 0.2
    async with engine:
        torrent = await engine.add(share.data, peers=[seed])
        for _ in range(4):
            await verified(torrent, rng.randrange(3, 20))
            events = torrent.events()
            await lender.kill()
            failed = await event_of(events, TorrentFailed)
            assert isinstance(failed.error, RootUnavailableError)
            assert "io-daemon" in str(failed.error)
            status = torrent.status()
            assert status.state is TorrentState.ERROR
            assert "io-daemon" in (status.error or "")
            have = status.pieces_have
            await asyncio.sleep(0.1)
            assert torrent.status().pieces_have == have
            await lender.start()
            await until(lambda: torrent.error is None)
            torrent.add_peer(seed)
        await torrent.wait_complete()
        assert share.stored(tmp_path / "films") == share.content


async def event_of(events, kind):
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the events ended without {kind.__name__}")


async def test_a_daemon_that_hangs(lender, share, seeding, tmp_path, monkeypatch):
    """It answers nothing, and does not go away: pings find that out."""
    monkeypatch.setattr(web_socket, "PING_SECONDS", 0.2)
    seed = await seeding(4_000_000)
    async with create_daemon_engine(CONFIG, daemon=lender.address, roots=["f"]) as engine:
        torrent = await engine.add(share.data, peers=[seed])
        connection = engine._platform.disk._daemon
        await verified(torrent, 5)
        lender._process.send_signal(signal.SIGSTOP)
        await until(lambda: not connection.is_up)
        assert "silent" in str(connection.why)
        lender._process.send_signal(signal.SIGCONT)
        await until(lambda: connection.is_up)
        torrent.add_peer(seed)
        await torrent.wait_complete()
        assert share.stored(tmp_path / "films") == share.content
        # The old connection's sockets are gone, too.
        await freed(lender, but=1)


def test_more_pieces_may_wait_for_a_disk_that_is_far_away(lender):
    """As much as there is room for; and what a user set above that stays."""
    engine = create_daemon_engine(CONFIG, daemon=lender.address, roots=["f"])
    room = CONFIG.transfer.max_buffered_bytes
    assert engine.config.transfer.max_unwritten_bytes == room // 2
    assert engine.config.disk.max_queued_bytes == room
    more = replace(CONFIG, disk=DiskConfig(max_queued_bytes=2 * room))
    engine = create_daemon_engine(more, daemon=lender.address, roots=["f"])
    assert engine.config.disk.max_queued_bytes == 2 * room


# The engine.


async def test_an_engine_that_is_killed(lender, share, seeding, tmp_path):
    """SIGKILL in the middle: the daemon frees all that it had lent, and the next engine goes on."""
    seed = await seeding(4_000_000)
    torrent_file = tmp_path / "shared.torrent"
    torrent_file.write_bytes(share.data)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROGRAM), str(lender.port), TOKEN, "f", seed, str(torrent_file)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    pieces = set()
    try:
        while len(pieces) < 10:
            pieces.add(int((await process.stdout.readline()).split()[1]))
        stats = await lender.stats()
        assert (stats["ws_connections"], stats["tcp_servers"]) == (1, 1)
        assert stats["tcp_sockets"] >= 1
    finally:
        process.kill()
        await process.wait()
    await freed(lender)
    stored = share.stored(tmp_path / "films")
    assert all(piece_of(stored, piece) == piece_of(share.content, piece) for piece in pieces)
    async with create_daemon_engine(CONFIG, daemon=lender.address, roots=["f"]) as engine:
        torrent = await engine.add(share.data)
        await torrent.wait_checked()
        assert torrent.status().pieces_have >= len(pieces)
        torrent.add_peer(seed)
        await torrent.wait_complete()
    assert share.stored(tmp_path / "films") == share.content


def piece_of(content: bytes, piece: int) -> bytes:
    return content[piece * 65536 : (piece + 1) * 65536]


# Others that talk with it, while an engine downloads.


class Stranger:
    """A client of `/io` that says whatever it likes."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.is_packed = False

    async def say(self, *frames: bytes) -> None:
        await self.socket.send_bytes(pack_frames(frames))

    async def hear(self) -> list[Frame]:
        """The frames of the next message; none at the end of the connection."""
        async with asyncio.timeout(20):
            message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            return []
        return list(split_message(memoryview(message.data), packed=self.is_packed))

    async def introduce(self, token: str = TOKEN) -> AuthResult:
        hello = Hello(Feature.PACKED | Feature.CREDIT, MAX_MESSAGE, 1 << 16)
        await self.socket.send_bytes(encode_frame(Opcode.CLIENT_HELLO, 0, hello.encode()))
        await self.hear()
        self.is_packed = True
        await self.say(encode_frame(Opcode.AUTH, 0, Auth(token).encode()))
        (frame, *_) = await self.hear()
        return AuthResult.parse(frame.payload)

    async def is_ended(self, code: int) -> bool:
        """Whether it is told why, and that it ends."""
        while await self.hear():
            pass
        return self.socket.close_code == code


@asynccontextmanager
async def stranger(lender: Lender, *, introduced: bool = True) -> AsyncIterator[Stranger]:
    url = f"http://127.0.0.1:{lender.port}/io"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        client = Stranger(socket)
        if introduced:
            assert (await client.introduce()).is_right
        yield client


async def wrong_token(lender: Lender) -> None:
    for token in ("", "x", TOKEN[:-1], TOKEN + "0"):
        async with stranger(lender, introduced=False) as client:
            assert not (await client.introduce(token)).is_right
            assert await client.is_ended(1008)


async def no_token(lender: Lender) -> None:
    async with stranger(lender, introduced=False) as client:
        batch = encode_frame(Opcode.WRITE_BATCH, 1, b"".join(pack_writes([record(0, "no")])))
        await client.socket.send_bytes(batch)
        assert await client.is_ended(1008)


async def another_version(lender: Lender) -> None:
    async with stranger(lender) as client:
        await client.say(b"\2" + encode_frame(Opcode.CALL, 1, b"{}")[1:])
        assert await client.is_ended(1008)


async def short_frames(lender: Lender) -> None:
    for message in (b"\7\0\0\0" + bytes(7), b"\1\0\0", b"\0\0\0\0"):
        async with stranger(lender) as client:
            await client.socket.send_bytes(message)
            assert await client.is_ended(1008)


async def unknown_opcodes(lender: Lender) -> None:
    """All of them in one message; each is refused, and nothing else happens."""
    unknown = sorted(set(range(256)) - set(Opcode))
    async with stranger(lender) as client:
        await client.say(*(encode_frame(opcode, opcode + 1) for opcode in unknown))
        refused: list[int] = []
        while len(refused) < len(unknown):
            frames = await client.hear()
            assert {frame.opcode for frame in frames} == {Opcode.ERROR}
            refused += [frame.request - 1 for frame in frames]
        assert refused == unknown


async def lengths_that_lie(lender: Lender) -> None:
    async with stranger(lender) as client:
        await client.socket.send_bytes(b"\xff\xff\xff\xff" + bytes(100))
        assert await client.is_ended(1008)
    batch = b"".join(pack_writes([record(0, "lie"), record(1, "lie")]))
    for at in range(4, len(batch), 7):
        broken = batch[:at] + b"\xff\xff\xff" + batch[at + 3 :]
        async with stranger(lender) as client:
            await client.say(encode_frame(Opcode.WRITE_BATCH, 9, broken[: len(batch)]))
            (frame,) = await client.hear()
            assert (frame.opcode, frame.request) == (Opcode.WRITE_RESULTS, 9)
            unpack_write_results(frame.payload)


async def the_longest_batches(lender: Lender) -> None:
    """10,000 records, and one more."""
    records = [record(n, f"many/{n % 10}") for n in range(MAX_RECORDS)]
    batch = b"".join(pack_writes(records))
    longer = (MAX_RECORDS + 1).to_bytes(4, "little") + batch[4:]
    longer += b"".join(pack_writes([record(0, "many/more")]))[4:]
    for payload, outcome in ((batch, Outcome.SUCCESS), (longer, Outcome.INVALID_ARGS)):
        async with stranger(lender) as client:
            await client.say(encode_frame(Opcode.WRITE_BATCH, 3, payload))
            (frame,) = await client.hear()
            results = unpack_write_results(frame.payload)
            assert {result.outcome for result in results} == {outcome}
            assert len({result.id for result in results}) == MAX_RECORDS


async def ways_out(lender: Lender) -> None:
    """Paths that lead out of a root: no record of them is carried out."""
    paths = ["../out", "/etc/out", "a/../../out", "link/out", "a\0", ".", "x/.."]
    records = [record(n, path) for n, path in enumerate(paths)]
    records.append(record(len(paths), "a..b/é#?%"))
    async with stranger(lender) as client:
        await client.say(
            encode_frame(Opcode.WRITE_BATCH, 3, b"".join(pack_writes(records))),
        )
        (frame,) = await client.hear()
        found = {int(r.id): r.outcome for r in unpack_write_results(frame.payload)}
        assert found.pop(len(paths)) is Outcome.SUCCESS
        assert Outcome.SUCCESS not in found.values()
        assert len(found) == len(paths)


async def noise(lender: Lender) -> None:
    rng = random.Random(3)
    for _ in range(30):
        async with stranger(lender) as client:
            payloads = [rng.randbytes(rng.choice([0, 3, 8, 100, 5000])) for _ in range(5)]
            opcodes = [rng.choice([0x12, 0x14, 0x1B, *range(0x30, 0x3A)]) for _ in payloads]
            await client.say(*map(encode_frame, opcodes, range(1, 6), payloads))
            await client.socket.send_bytes(rng.randbytes(200))


def record(number: int, path: str) -> WriteRecord:
    data = b"%d" % number
    extents = (Extent(path, 0, len(data)),)
    return WriteRecord("f", extents, memoryview(data), hashlib.sha1(data).digest(), data)


HOSTILE = [
    *(wrong_token, no_token, another_version, short_frames, unknown_opcodes, lengths_that_lie),
    *(the_longest_batches, ways_out, noise),
]


async def test_hostile_clients_beside_a_download(lender, share, seeding, tmp_path):
    """Each is refused as it should be; the engine notices nothing, and nothing is outside the root."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "films" / "link").symlink_to(tmp_path / "outside")
    seed = await seeding(1_000_000)
    async with create_daemon_engine(CONFIG, daemon=lender.address, roots=["f"]) as engine:
        torrent = await engine.add(share.data, peers=[seed])
        await verified(torrent, 1)
        for attack in HOSTILE:
            await attack(lender)
        assert torrent.status().progress < 1, "it was over before they were"
        await torrent.wait_complete()
        assert share.stored(tmp_path / "films") == share.content
        await freed(lender, but=1)
    films = tmp_path / "films"
    names = {path.relative_to(films).as_posix() for path in films.rglob("*")}
    assert names == {
        *(share.name, "link", "lie", "a..b", "a..b/é#?%"),
        *("many", *(f"many/{n}" for n in range(10))),
    }
    assert list((tmp_path / "outside").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"films", "outside", "seed"}
