"""The public API on real sockets and files, used as the documentation shows it."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from pathlib import Path

import pytest

import millstream
from millstream import (
    Engine,
    EngineConfig,
    InfoHash,
    Metainfo,
    MillstreamError,
    NetworkConfig,
    PeerAddress,
    Torrent,
    TorrentState,
    TransferConfig,
    create_native_engine,
    create_torrent,
    verify_torrent,
)
from millstream.errors import (
    ConfigError,
    DuplicateTorrentError,
    EngineClosedError,
    EngineError,
    MalformedDataError,
    MalformedTorrentError,
    NetworkError,
    StorageError,
    TorrentRemovedError,
)
from millstream.events import (
    PeerConnected,
    PeerDisconnected,
    PieceVerified,
    StateChanged,
    TorrentCompleted,
)
from millstream.protocol.bencode import decode, encode

from .conftest import LOOPBACK, Share, StartEngine, make_share
from .raw_peer import HAVE_ALL, RawPeer, message

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def seeder(share: Share, start_engine: StartEngine, tmp_path: Path) -> str:
    """The address of an engine that has everything."""
    engine = await start_engine(share.store(tmp_path / "seeded"))
    await engine.add(share.data, seed_mode=True)
    return f"127.0.0.1:{engine.listen_port}"


# As the documentation shows it.


async def test_downloading_as_documented(
    share: Share, seeder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "debian.torrent").write_bytes(share.data)
    shown: list[str] = []

    async with create_native_engine(save_path="downloads") as engine:
        torrent = await engine.add("debian.torrent", peers=[seeder])
        async for status in torrent.progress():
            shown += [f"{status.progress:.0%} at {status.download_rate / 1e6:.1f} MB/s"]
        await torrent.wait_complete()

    assert shown[-1].startswith("100% at ")
    assert share.stored(tmp_path / "downloads") == share.content


async def test_making_seeding_and_verifying(tmp_path: Path, start_engine: StartEngine) -> None:
    share = make_share(200_000, 16384, "holiday.mkv")
    share.store(tmp_path / "mine")
    steps: list[tuple[int, int]] = []

    data = await create_torrent(
        tmp_path / "mine/holiday.mkv",
        piece_length=32768,
        private=True,
        trackers=[["http://tracker.example/announce"]],
        web_seeds=["http://web.example/holiday.mkv"],
        comment="Sunny",
        progress=lambda done, total: steps.append((done, total)),
    )
    (tmp_path / "holiday.torrent").write_bytes(data)
    seeding = await start_engine(tmp_path / "mine")
    seed = await seeding.add(tmp_path / "holiday.torrent")
    await seed.wait_complete()
    leeching = await start_engine(tmp_path / "theirs")
    leech = await leeching.add(data, peers=[PeerAddress("127.0.0.1", seeding.listen_port or 0)])
    await leech.wait_complete()
    report = await verify_torrent(tmp_path / "holiday.torrent", tmp_path / "theirs")

    assert steps == [(n, 7) for n in range(1, 8)]
    assert (report.piece_count, report.good_pieces, report.bad) == (7, 7, ())
    assert leech.metainfo.private
    assert leech.metainfo.trackers == (("http://tracker.example/announce",),)
    assert leech.metainfo.web_seeds == ("http://web.example/holiday.mkv",)
    assert leech.metainfo.comment == "Sunny"
    assert share.stored(tmp_path / "theirs") == share.content


async def test_verifying_tells_which_pieces_are_bad(share: Share, tmp_path: Path) -> None:
    path = share.store(tmp_path) / share.name
    content = bytearray(share.content)
    content[share.piece_length] ^= 1
    path.write_bytes(content[: -share.piece_length])
    looked: list[int] = []

    report = await verify_torrent(
        share.data, tmp_path, progress=lambda checked, _: looked.append(checked)
    )

    assert (report.good_pieces, report.bad) == (5, (1, 6, 7))
    assert looked[-1] == 8
    assert path.read_bytes() == content[: -share.piece_length], "verifying changed something"
    assert (await verify_torrent(share.data, tmp_path / "nowhere")).good_pieces == 0
    assert not (tmp_path / "nowhere").exists()


async def test_making_a_torrent_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/empty-too").touch()
    with pytest.raises(StorageError, match="no such file"):
        await create_torrent(tmp_path / "missing")
    with pytest.raises(EngineError, match="no bytes"):
        await create_torrent(tmp_path / "empty")


# Adding.


@pytest.mark.parametrize("kind", ["str", "Path", "bytes", "bytearray", "Metainfo"])
async def test_adding_from_everything(
    kind: str, share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    path = tmp_path / "x.torrent"
    path.write_bytes(share.data)
    source = {
        "str": str(path),
        "Path": path,
        "bytes": share.data,
        "bytearray": bytearray(share.data),
        "Metainfo": share.metainfo,
    }[kind]
    engine = await start_engine(tmp_path / "downloads")

    torrent = await engine.add(source, save_path=tmp_path / "elsewhere")

    assert torrent.info_hash == InfoHash.from_hex(hashlib.sha1(torrent.metainfo.info).hexdigest())
    assert torrent.name == share.name
    assert torrent.save_path == str(tmp_path / "elsewhere")
    assert torrent.state is TorrentState.CHECKING
    assert engine.torrents == [torrent]
    await torrent.wait_checked()
    assert torrent.state is TorrentState.DOWNLOADING
    assert (tmp_path / "elsewhere" / share.name).stat().st_size == len(share.content)
    assert not (tmp_path / "downloads").exists()


def changed(share: Share, **changes: object) -> bytes:
    """The share's torrent with other values in its info dict; None takes one away."""
    torrent = decode(share.data)
    assert isinstance(torrent, dict)
    info = torrent[b"info"]
    assert isinstance(info, dict)
    for key, value in changes.items():
        name = key.replace("_", " ").encode()
        if value is None:
            del info[name]
        else:
            info[name] = value
    return encode(torrent)


MALFORMED = {
    "nothing": lambda _: b"",
    "text": lambda _: b"Hello, this is not a torrent",
    "a web page": lambda _: b"<!DOCTYPE html><html></html>",
    "an end that is cut off": lambda share: share.data[:-1],
    "the first half": lambda share: share.data[: len(share.data) // 2],
    "no info": lambda _: b"d8:announce3:urle",
    "an info that is a list": lambda _: b"d4:infolee",
    "no name": lambda share: changed(share, name=None),
    "no piece length": lambda share: changed(share, piece_length=None),
    "a piece length of zero": lambda share: changed(share, piece_length=0),
    "a negative piece length": lambda share: changed(share, piece_length=-16384),
    "a piece length of text": lambda share: changed(share, piece_length=b"16384"),
    "no pieces": lambda share: changed(share, pieces=None),
    "too few digests": lambda share: changed(share, pieces=bytes(7 * 20)),
    "too many digests": lambda share: changed(share, pieces=bytes(9 * 20)),
    "half a digest": lambda share: changed(share, pieces=bytes(8 * 20 - 10)),
    "no length": lambda share: changed(share, length=None),
    "a negative length": lambda share: changed(share, length=-1),
    "no bytes at all": lambda share: changed(share, length=0, pieces=b""),
    "an absurd length": lambda share: changed(share, length=1 << 62),
    "no files": lambda share: changed(share, length=None, files=[]),
    "files without paths": lambda share: changed(share, length=None, files=[{b"length": 9}]),
    "nesting without end": lambda _: b"l" * 100_000,
    "a number without end": lambda _: b"d4:infoi" + b"9" * 100_000 + b"ee",
}


@pytest.mark.parametrize("as_file", [False, True], ids=["bytes", "file"])
@pytest.mark.parametrize("kind", MALFORMED)
async def test_malformed_torrents_are_refused_and_nothing_is_made(
    kind: str, as_file: bool, share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    data = MALFORMED[kind](share)
    if as_file:
        (tmp_path / "bad.torrent").write_bytes(data)
    engine = await start_engine(tmp_path / "downloads")

    with pytest.raises(MalformedTorrentError) as caught:
        await engine.add(tmp_path / "bad.torrent" if as_file else data)

    assert engine.torrents == []
    assert not (tmp_path / "downloads").exists()
    sentence = str(caught.value)
    assert 0 < len(sentence) < 200
    assert "\n" not in sentence


async def test_torrent_file_that_cannot_be_read(start_engine: StartEngine, tmp_path: Path) -> None:
    engine = await start_engine(tmp_path / "downloads")
    for path in (tmp_path / "missing.torrent", tmp_path):
        with pytest.raises(StorageError) as caught:
            await engine.add(path)
        assert caught.value.path == str(path)
    assert engine.torrents == []


def files_below(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "name",
    ["../escaped", "/escaped", "..", "a/../../escaped", "C:\\escaped", "\0", "", "x" * 300],
    ids=repr,
)
async def test_hostile_names_stay_below_the_save_path(
    name: str, share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    """The share's bytes under another name: the infohash is another, so a peer of its own seeds."""
    data = changed(share, name=name.encode())
    engine = await start_engine(tmp_path / "a/downloads")
    torrent = await engine.add(data)
    await torrent.wait_checked()
    peer = await RawPeer.connect(engine.listen_port)
    await peer.greet(bytes(torrent.info_hash))
    peer.send(message(HAVE_ALL))
    serving = asyncio.create_task(peer.serve(share.content, share.piece_length))

    await torrent.wait_complete()

    (made,) = files_below(tmp_path)
    assert made.parent == tmp_path / "a/downloads"
    assert made.read_bytes() == share.content
    await peer.close()
    await serving


async def test_the_same_torrent_twice(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(tmp_path)
    torrent = await engine.add(share.data)
    with pytest.raises(DuplicateTorrentError, match=r"shared\.bin"):
        await engine.add(share.data)
    results = await asyncio.gather(
        *(engine.add(changed(share, name=b"other")) for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(result, DuplicateTorrentError) for result in results) == 2

    await engine.remove(torrent)
    again = await engine.add(share.data)
    assert again in engine.torrents


async def test_adding_without_starting(
    share: Share, seeder: str, start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(tmp_path / "downloads")
    torrent = await engine.add(share.data, peers=[seeder], start=False)
    assert torrent.state is TorrentState.STOPPED
    assert [status.state async for status in torrent.progress()] == [TorrentState.STOPPED]
    assert not (tmp_path / "downloads").exists()

    await torrent.start()
    await torrent.wait_complete()
    assert share.stored(tmp_path / "downloads") == share.content


async def test_sequential_download(
    share: Share, seeder: str, start_engine: StartEngine, tmp_path: Path
) -> None:
    """With room for one piece at a time they come in order."""
    large = make_share(8 << 20, 1 << 20, "large.bin")
    seeding = await start_engine(large.store(tmp_path / "large"))
    await seeding.add(large.data, seed_mode=True)
    config = EngineConfig(network=LOOPBACK, transfer=TransferConfig(max_buffered_bytes=1 << 20))
    engine = await start_engine(tmp_path / "downloads", config)
    torrent = await engine.add(
        large.data, sequential=True, peers=[f"127.0.0.1:{seeding.listen_port}"]
    )
    events = torrent.events()
    await torrent.wait_complete()
    await engine.close()

    assert [e.piece async for e in events if isinstance(e, PieceVerified)] == list(range(8))


# Watching.


async def test_events_tell_the_whole_story(
    share: Share, seeder: str, start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(tmp_path / "downloads")
    torrent = await engine.add(share.data, peers=[seeder])
    events = torrent.events()
    await torrent.wait_complete()
    await engine.remove(torrent)
    story = [event async for event in events]

    address = PeerAddress.parse(seeder)
    changes = [(e.before, e.after) for e in story if isinstance(e, StateChanged)]
    assert changes == [
        (TorrentState.CHECKING, TorrentState.DOWNLOADING),
        (TorrentState.DOWNLOADING, TorrentState.SEEDING),
        (TorrentState.SEEDING, TorrentState.STOPPED),
    ]
    assert sorted(e.piece for e in story if isinstance(e, PieceVerified)) == list(range(8))
    assert [e.address for e in story if isinstance(e, PeerConnected)] == [address]
    assert [e.address for e in story if isinstance(e, PeerDisconnected)] == [address]
    assert sum(isinstance(event, TorrentCompleted) for event in story) == 1
    assert [event async for event in torrent.events()] == [], "it left the engine"


async def test_status_pieces_and_peers(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(tmp_path)
    torrent = await engine.add(share.data)
    await torrent.wait_checked()
    status = torrent.status()
    assert dataclasses.asdict(status) | {"state": status.state} == {
        "state": TorrentState.DOWNLOADING,
        "progress": 0.0,
        "metadata_progress": 1.0,
        "pieces_have": 0,
        "piece_count": 8,
        "checked_pieces": 8,
        "bytes_done": 0,
        "total_length": len(share.content),
        "download_rate": 0,
        "upload_rate": 0,
        "downloaded": 0,
        "uploaded": 0,
        "wasted": 0,
        "peers": 0,
        "seeds": 0,
        "eta": None,
        "moving": None,
        "error": None,
    }
    assert torrent.piece_states() == bytes(8)
    assert torrent.peers() == []

    events = torrent.events()
    peer = await RawPeer.connect(engine.listen_port)
    await peer.greet(share.info_hash)
    peer.send(message(4, 7))  # have, of the last piece, which is short
    serving = asyncio.create_task(peer.serve(share.content, share.piece_length))
    while not isinstance(await anext(events), PieceVerified):
        pass
    status = torrent.status()
    assert (status.pieces_have, status.bytes_done, status.peers) == (1, 20_000, 1)
    assert status.downloaded == 20_000
    assert status.progress == pytest.approx(20_000 / len(share.content))
    assert torrent.piece_states() == bytes([0] * 7 + [2])
    (other,) = torrent.peers()
    assert other.address == PeerAddress("127.0.0.1", peer.port)
    assert other.incoming
    assert other.downloaded == 20_000
    assert other.progress == 1 / 8
    await peer.close()
    await serving


async def test_complete_files_are_found_complete(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(share.store(tmp_path))
    torrent = await engine.add(share.data)
    await torrent.wait_complete()
    status = torrent.status()
    assert (status.state, status.progress, status.downloaded) == (TorrentState.SEEDING, 1.0, 0)
    assert status.bytes_done == status.total_length == len(share.content)
    assert torrent.piece_states() == bytes([2] * 8)
    assert [s.progress async for s in torrent.progress()] == [1.0]


async def test_progress_follows_until_the_torrent_is_stopped(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(tmp_path)
    torrent = await engine.add(share.data)
    states = []
    async for status in torrent.progress(interval=0.01):
        states.append(status.state)
        if len(states) == 5:
            await torrent.stop()
    assert states[-1] is TorrentState.STOPPED


async def test_several_wait_for_the_same(
    share: Share, seeder: str, start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(tmp_path / "downloads")
    torrent = await engine.add(share.data)
    waiting = [asyncio.create_task(torrent.wait_complete()) for _ in range(5)]
    impatient = asyncio.create_task(torrent.wait_complete())
    await torrent.wait_checked()
    impatient.cancel()
    torrent.add_peer(seeder)
    await asyncio.gather(*waiting)
    assert impatient.cancelled()


# Starting and stopping.


async def test_stop_and_start(
    share: Share, seeder: str, start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(tmp_path / "downloads")
    torrent = await engine.add(share.data)
    await torrent.wait_checked()
    await torrent.stop()
    await torrent.stop()
    assert torrent.state is TorrentState.STOPPED
    refused = await RawPeer.connect(engine.listen_port)
    refused.send(b"\x13BitTorrent protocol" + bytes(8) + share.info_hash)
    assert await refused.wait_closed() == b""
    await refused.close()

    torrent.add_peer(seeder)
    assert torrent.status().peers == 0
    await torrent.start()
    await torrent.start()
    await torrent.wait_complete()
    assert share.stored(tmp_path / "downloads") == share.content


async def test_recheck_of_a_seed_finds_what_changed(
    share: Share, seeder: str, start_engine: StartEngine, tmp_path: Path
) -> None:
    path = share.store(tmp_path / "own") / share.name
    engine = await start_engine(tmp_path / "own")
    torrent = await engine.add(share.data)
    await torrent.wait_complete()
    with path.open("r+b") as file:
        file.seek(3 * share.piece_length)
        file.write(b"oops")

    await torrent.recheck()
    await torrent.wait_checked()
    assert torrent.state is TorrentState.DOWNLOADING
    assert torrent.piece_states() == bytes([2, 2, 2, 0, 2, 2, 2, 2])
    torrent.add_peer(seeder)
    await torrent.wait_complete()

    assert path.read_bytes() == share.content
    assert torrent.status().downloaded == share.piece_length


async def test_removed_torrents_keep_their_files(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(share.store(tmp_path))
    torrent = await engine.add(share.data)
    await torrent.wait_complete()
    await engine.remove(torrent)
    assert engine.torrents == []
    assert share.stored(tmp_path) == share.content


async def test_waiting_for_a_torrent_that_leaves(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(tmp_path)
    torrent = await engine.add(share.data)
    waiting = asyncio.create_task(torrent.wait_complete())
    await torrent.wait_checked()
    await engine.remove(torrent)
    with pytest.raises(EngineClosedError, match="left the engine"):
        await waiting
    with pytest.raises(TorrentRemovedError):
        await torrent.wait_complete()


async def test_a_magnet_that_was_removed_moves_nowhere(
    start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(tmp_path)
    torrent = await engine.add(f"magnet:?xt=urn:btih:{'a' * 40}", start=False)
    await engine.remove(torrent)
    with pytest.raises(TorrentRemovedError):
        await torrent.move(tmp_path / "new")
    assert engine.roots.in_use == []


# The engine.


async def test_an_engine_that_is_not_running_takes_nothing(share: Share, tmp_path: Path) -> None:
    engine = create_native_engine(save_path=tmp_path)
    assert isinstance(engine, Engine)
    assert engine.listen_port is None
    with pytest.raises(EngineClosedError):
        await engine.add(share.data)
    async with engine:
        pass
    with pytest.raises(EngineClosedError):
        await engine.add(share.data)
    await engine.close()


async def test_listening(tmp_path: Path) -> None:
    silent = EngineConfig(network=NetworkConfig(listen_port=None))
    async with create_native_engine(silent, save_path=tmp_path) as engine:
        assert engine.listen_port is None
    async with create_native_engine(EngineConfig(network=LOOPBACK), save_path=tmp_path) as first:
        taken = NetworkConfig(listen_hosts=("127.0.0.1",), listen_port=first.listen_port)
        second = create_native_engine(EngineConfig(network=taken), save_path=tmp_path)
        with pytest.raises(NetworkError, match=f"127.0.0.1:{first.listen_port}"):
            await second.start()
        await second.close()


async def test_addresses_that_the_machine_lacks_are_passed_over(tmp_path: Path) -> None:
    network = NetworkConfig(listen_hosts=("192.0.2.1", "127.0.0.1"))
    async with create_native_engine(EngineConfig(network=network), save_path=tmp_path) as engine:
        assert engine.listen_port


def test_settings_out_of_range() -> None:
    with pytest.raises(ConfigError, match="listen_port"):
        NetworkConfig(listen_port=65536)
    with pytest.raises(ConfigError, match="handshake_timeout"):
        NetworkConfig(handshake_timeout=0)


async def test_addresses_that_are_none(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(tmp_path / "downloads")
    with pytest.raises(MalformedDataError):
        await engine.add(share.data, peers=["localhost"])
    assert engine.torrents == []
    torrent = await engine.add(share.data)
    for text in ("", "1.2.3.4", "1.2.3.4:0", "1.2.3.4:65536", "[::1]", "::1:80", "host:http"):
        with pytest.raises(MalformedDataError):
            torrent.add_peer(text)


async def test_peers_that_are_not_there(
    share: Share, seeder: str, start_engine: StartEngine, tmp_path: Path
) -> None:
    """Nobody is at the port: the others serve all the same."""
    engine = await start_engine(tmp_path / "downloads")
    unreachable = ["127.0.0.1:1", "[::1]:1"]
    torrent = await engine.add(share.data, peers=[*unreachable, seeder])
    await torrent.wait_complete()
    assert share.stored(tmp_path / "downloads") == share.content


def test_everything_public_is_there() -> None:
    assert [name for name in millstream.__all__ if getattr(millstream, name, None) is None] == []
    assert {"Torrent", "create_native_engine"} <= set(dir(millstream))
    assert issubclass(MalformedTorrentError, MillstreamError)
    assert Metainfo.__module__.startswith("millstream.")
    assert Torrent.__doc__
