"""An engine that downloads from a good peer while hostile ones come and go.

The good peer has the first half of the pieces until a test lets it have the rest. So each hostile
peer meets a download that is under way, and the download's end proves that nothing of it was hurt.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from millstream import Engine, PeerAddress, Torrent
from millstream.events import PeerDisconnected
from millstream.protocol.magnet import Magnet

from .raw_peer import BITFIELD, EXTENDING, FAST, HAVE, RawPeer, message

if TYPE_CHECKING:
    from .conftest import Share

HALF = 4
"""How many pieces the good peer has at first, of eight."""


@dataclass
class Victim:
    """An engine that downloads from a good peer which so far has half of the pieces.

    Of a magnet it has nothing so far, not even the metadata.
    """

    engine: Engine
    torrent: Torrent
    share: Share
    directory: Path
    good: RawPeer

    async def meet(self, *, reserved: bytes = FAST) -> RawPeer:
        """A hostile peer that behaved up to and including the handshake."""
        hostile = await RawPeer.connect(self.engine.listen_port)
        await hostile.greet(self.share.info_hash, reserved)
        return hostile

    async def complete(self) -> None:
        """Let the good peer have the rest, and see that everything arrives."""
        if not self.torrent.has_metadata:
            self.good.offer_metadata(self.share.metainfo.info)
            await self.torrent.wait_metadata()
        self.good.send(*(message(HAVE, piece) for piece in range(HALF, self.share.piece_count)))
        await self.torrent.wait_complete()
        assert self.share.stored(self.directory) == self.share.content


async def attach_good_peer(
    engine: Engine, torrent: Torrent, share: Share, directory: Path
) -> tuple[Victim, asyncio.Task[None]]:
    """The victim, and the task that serves it."""
    good = await RawPeer.connect(engine.listen_port)
    await good.greet(share.info_hash, EXTENDING)
    good.send(message(BITFIELD, payload=b"\xf0"))
    good.offer_extensions()
    serving = asyncio.create_task(good.serve(share.content, share.piece_length))
    return Victim(engine, torrent, share, directory, good), serving


def magnet_of(share: Share) -> Magnet:
    """The link to the share."""
    return Magnet(share.metainfo.info_hash)


async def dropped(events: AsyncIterator[object], hostile: RawPeer) -> str:
    """Wait until the hostile peer is dropped; returns the reason."""
    async for event in events:
        if event == PeerDisconnected(
            PeerAddress("127.0.0.1", hostile.port), getattr(event, "reason", "")
        ):
            return event.reason
    raise AssertionError("it was not dropped")


def events_now(events: AsyncIterator[object]) -> list[object]:
    """The events that are there already."""
    return list(events._pending)
