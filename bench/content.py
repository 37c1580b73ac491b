"""What the clients move: one file of random bytes, and torrents of it, made by neither client."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
NAME = "content.bin"
# The torrents: two piece lengths, and one of the first quarter of the file.
LARGE_PIECES, SMALL_PIECES, QUARTER = ("large_pieces", "small_pieces", "quarter")
# What engines on io-daemons download, at most.
MAX_LENT = 1 << 30


@dataclass(frozen=True)
class Torrent:
    """A torrent of the first `length` bytes of the content."""

    path: Path
    content: Path
    length: int
    piece_length: int
    digests: bytes
    info_hash: str


@dataclass(frozen=True)
class Content:
    """The file, and its torrents by their names."""

    path: Path
    torrents: dict[str, Torrent]


def make_content(directory: Path, length: int) -> Content:
    """Write the file once and hash it on the way. `length` is a multiple of 4 MiB."""
    path = directory / NAME
    large, small = bytearray(), bytearray()
    with path.open("wb") as file:
        for _ in range(length // MIB):
            piece = os.urandom(MIB)
            file.write(piece)
            large += hashlib.sha1(piece).digest()
            for begin in range(0, MIB, MIB // 4):
                small += hashlib.sha1(piece[begin : begin + MIB // 4]).digest()
    quarter = large[: len(large) // 4]
    return Content(
        path,
        {
            LARGE_PIECES: make_torrent(path, LARGE_PIECES, length, MIB, large),
            SMALL_PIECES: make_torrent(path, SMALL_PIECES, length, MIB // 4, small),
            QUARTER: make_torrent(path, QUARTER, length // 4, MIB, quarter),
        },
    )


def lent_torrent(content: Content, piece_length: int) -> Torrent:
    """A torrent of no more than the first GiB, in pieces of any length; made when first asked for."""
    name = f"lent_{piece_length}"
    if name not in content.torrents:
        length = min(content.path.stat().st_size, MAX_LENT)
        digests = bytearray()
        with content.path.open("rb") as file:
            for _ in range(length // piece_length):
                digests += hashlib.sha1(file.read(piece_length)).digest()
        made = make_torrent(content.path, name, length, piece_length, digests)
        content.torrents[name] = made
    return content.torrents[name]


def make_torrent(
    content: Path, name: str, length: int, piece_length: int, digests: bytearray
) -> Torrent:
    """Write a .torrent of one file (BEP 3) beside it."""
    path = content.with_name(f"{name}.torrent")
    info = b"d6:lengthi%de4:name%d:%b12:piece lengthi%de6:pieces%d:%be" % (
        length, len(NAME), NAME.encode(), piece_length, len(digests), digests,
    )  # fmt: skip
    path.write_bytes(b"d4:info%be" % info)
    info_hash = hashlib.sha1(info).hexdigest()
    return Torrent(path, content, length, piece_length, bytes(digests), info_hash)


def same_bytes(downloaded: Path, torrent: Torrent) -> bool:
    """Whether a download is the content, byte for byte."""
    if downloaded.stat().st_size != torrent.length:
        return False
    with downloaded.open("rb") as left, torrent.content.open("rb") as right:
        return all(
            left.read(MIB) == right.read(min(MIB, torrent.length - at))
            for at in range(0, torrent.length, MIB)
        )


def room_needed(length: int) -> int:
    """The bytes that a run of this size stores at most: the content, a download, small change."""
    return 2 * length + 64 * MIB


def choose_base(length: int) -> Path:
    """Where to keep it all: in memory if there is room, so that no disk is measured."""
    memory = Path("/dev/shm")  # noqa: S108 - only a directory of our own is made in it
    if memory.is_dir() and os.access(memory, os.W_OK):
        # Files there take memory, of which the clients and the system want some too.
        room = min(shutil.disk_usage(memory).free, available_memory() - (1 << 30))
        if room >= room_needed(length):
            return memory
    return Path(tempfile.gettempdir())


def available_memory() -> int:
    """Bytes that Linux says programs can still have; 0 elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return 0
    values = dict(line.split(":", 1) for line in lines)
    return int(values["MemAvailable"].split()[0]) * 1024
