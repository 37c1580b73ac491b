"""`millstream demo`: everything once, on this machine alone.

The seeder is another process, `millstream seed`, and the download is `millstream download`'s own
code: what is shown is what users get.
"""

from __future__ import annotations

import asyncio
import contextlib
import json as json_module
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated, BinaryIO

import typer

from millstream.cli.create import make_torrent, write_whole
from millstream.cli.display import Display, open_display
from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.following import Following
from millstream.cli.formatting import (
    format_duration,
    format_rate,
    format_size,
    plural,
    safe_text,
)
from millstream.cli.options import JsonOption, QuietOption, parse_size_option
from millstream.cli.running import run
from millstream.cli.settings import engine_config

EPILOG = "[bold]Example[/bold]\n  millstream demo --size 1GiB"

FILE_NAME = "demo.bin"
CHUNK_LENGTH = 4 << 20
# A download of half a second is over between two frames of the usual pace.
FRAME_INTERVAL = 0.1
SEEDER_PATIENCE = 60.0
SEEDER_FAREWELL = 10.0
SPARE_ROOM = 16 << 20


@dataclass(frozen=True, slots=True)
class Measured:
    """How long the transfer took."""

    length: int
    seconds: float

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.length / self.seconds if self.seconds else 0.0


def demo(
    *,
    size: Annotated[
        str, typer.Option(metavar="SIZE", help="How much to transfer, such as 64MiB or 2GiB.")
    ] = "256MiB",
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the files there and say where they are.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show it working: make a file, seed it, download it, compare.

    A file of random data is seeded by another process and downloaded by this one over loopback,
    then both copies are compared byte for byte. It needs twice the size on the disk for temporary
    files, and no network.
    """
    length = parse_size_option(size, "--size")
    assert length is not None  # noqa: S101 - a size was given, if only the default
    with open_display(json=json, quiet=quiet) as display, _directory(keep=keep) as directory:
        _check_room(directory, length)
        measured = run(lambda: _demo(display, directory, length))
        display.event(
            "complete",
            f"{format_size(length)} in {format_duration(measured.seconds)}: {format_rate(measured.rate)}",
            good=True,
            total_length=length,
            seconds=round(measured.seconds, 3),
            average_rate=round(measured.rate),
            directory=str(directory) if keep else None,
        )
        if keep:
            display.note(f"  the files are in {safe_text(str(directory))}")


COMMAND = demo


async def _demo(display: Display, directory: Path, length: int) -> Measured:
    source, target = directory / "seeder", directory / "downloader"
    source.mkdir()
    target.mkdir()
    original, torrent_file = source / FILE_NAME, directory / f"{FILE_NAME}.torrent"

    await _write_random(display, original, length)
    display.event("file_made", f"Made {format_size(length)} of random data", good=True)

    torrent = await make_torrent(display, original)
    write_whole(torrent_file, torrent)
    display.event("torrent_made", _described(torrent), good=True)

    async with _seeder(torrent_file, source) as (port, seeder_ended):
        display.event(
            "seeder_ready", f"Another process seeds it on port {port}", good=True, port=port
        )
        download = asyncio.create_task(_download(display, torrent, target, port))
        await asyncio.wait({download, seeder_ended}, return_when=asyncio.FIRST_COMPLETED)
        if not download.done():
            download.cancel()
            raise CommandError("the seeder ended before the download", ExitCode.FAILURE)
        measured = download.result()
    display.event("downloaded", "Downloaded it from there, over loopback", good=True)

    await _compare(display, original, target / FILE_NAME, length)
    display.event("compared", "Compared both copies byte for byte: they are the same", good=True)
    return measured


async def _write_random(display: Display, path: Path, length: int) -> None:
    written = 0
    with path.open("wb") as file:
        while written < length:
            chunk = min(CHUNK_LENGTH, length - written)
            await asyncio.to_thread(_append_random, file, chunk)
            written += chunk
            display.count("Making", "a file of random data", written, length, "byte")


def _append_random(file: BinaryIO, length: int) -> None:
    file.write(os.urandom(length))


def _described(torrent: bytes) -> str:
    from millstream import Metainfo

    metainfo = Metainfo.parse(torrent)
    pieces = f"{plural(metainfo.piece_count, 'piece')} of {format_size(metainfo.piece_length)}"
    return f"Made the torrent: {pieces}, infohash {metainfo.info_hash}"


@contextlib.asynccontextmanager
async def _seeder(
    torrent_file: Path, directory: Path
) -> AsyncIterator[tuple[int, asyncio.Task[None]]]:
    """Run `millstream seed` in a process of its own while the block lasts.

    Gives its port, and a task that is done when the process has ended.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "millstream", "seed", str(torrent_file)),
        *("-o", str(directory), "--port", "0", "--json"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    ended: asyncio.Task[None] | None = None
    try:
        try:
            port = await asyncio.wait_for(_seeding_port(process.stdout), SEEDER_PATIENCE)
        except TimeoutError:
            raise CommandError("the seeder did not start in time", ExitCode.FAILURE) from None
        ended = asyncio.create_task(_drain(process.stdout))
        yield port, ended
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), SEEDER_FAREWELL)
        except TimeoutError:
            process.kill()
            await process.wait()
        if ended is not None:
            await ended


async def _seeding_port(output: asyncio.StreamReader) -> int:
    async for line in output:
        event = json_module.loads(line)
        if event["event"] == "seeding":
            return int(event["port"])
        if event["event"] == "error":
            raise CommandError(
                f"the seeder failed: {event['message']}", ExitCode(event["exit_code"])
            )
    raise CommandError("the seeder ended before it began", ExitCode.FAILURE)


async def _drain(output: asyncio.StreamReader) -> None:
    # A pipe that nobody reads fills up, and then the seeder stands still.
    while await output.read(1 << 16):
        pass


async def _download(display: Display, torrent: bytes, target: Path, port: int) -> Measured:
    from millstream import PeerAddress, create_native_engine

    async with create_native_engine(engine_config(port=0), save_path=target) as engine:
        begun = monotonic()
        added = await engine.add(torrent, peers=[PeerAddress("127.0.0.1", port)])
        following = Following(display, added, interval=FRAME_INTERVAL, named_peers=1)
        await following.until(added.wait_complete())
        return Measured(added.metainfo.total_length, monotonic() - begun)


async def _compare(display: Display, original: Path, copy: Path, length: int) -> None:
    """Read both files side by side; raises CommandError where they differ."""
    compared = 0
    with original.open("rb") as left, copy.open("rb") as right:
        while True:
            ours, theirs = await asyncio.gather(
                asyncio.to_thread(left.read, CHUNK_LENGTH),
                asyncio.to_thread(right.read, CHUNK_LENGTH),
            )
            if ours != theirs:
                raise CommandError(
                    f"the copies differ near byte {compared:,}: this is a bug", ExitCode.BAD_DATA
                )
            if not ours:
                break
            compared += len(ours)
            display.count("Comparing", "both copies", compared, length, "byte")


@contextlib.contextmanager
def _directory(*, keep: bool) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="millstream-demo-"))
    try:
        yield directory
    finally:
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)


def _check_room(directory: Path, length: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < 2 * length + SPARE_ROOM:
        raise CommandError(
            f"{directory.parent} has {format_size(free)} free, and the demo needs "
            f"{format_size(2 * length)}; give a smaller --size, or set TMPDIR",
            ExitCode.STORAGE,
        )
