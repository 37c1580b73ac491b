"""Looking, now and then, whether the storage roots are there and have room.

`engine.root_state` says what counts as being there, `engine.room` what as room, `engine.root_looks`
how many looks there may be.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nsmallest
from typing import Protocol

from millstream.engine.room import RoomGauge
from millstream.engine.root_looks import LOOK_PATIENCE, RootLooks
from millstream.engine.root_state import RootState, judge, look_for_files
from millstream.errors import NoSpaceError, RootUnavailableError, StorageError
from millstream.interfaces.filesystem import FileSystem
from millstream.logging.component_logger import component_logger
from millstream.storage.config import StorageConfig
from millstream.storage.roots import StorageRoot, StorageRootManager

# Roots whose turn comes in one round, those first that waited longest: with 10,000 roots a round
# still costs some ten milliseconds.
MAX_LOOKS_A_ROUND = 64

_NO_ANSWER = "its disk does not answer"
_ANEW = "it was mounted anew"
_WHY = {
    RootState.ABSENT: "its directory is gone; is the disk mounted?",
    RootState.CHANGED: "another directory is at its place, without its files; is the disk mounted?",
}

_LOG = component_logger("disk")


class RootObserver(Protocol):
    """Who is told."""

    def root_lost(self, root: StorageRoot, error: RootUnavailableError) -> None:
        """The root cannot be used any more."""

    def root_found(self, root: StorageRoot) -> None:
        """A root that was lost is back."""

    def root_full(self, root: StorageRoot, error: NoSpaceError) -> None:
        """The root has too little room for downloads."""

    def root_roomy(self, root: StorageRoot, free: int) -> None:
        """A root that was full has room again, or a write may be tried again."""

    def files_expected(self, root: StorageRoot, *, whole: bool) -> Iterable[str]:
        """Some paths, below the root, of files that must be there if it is the right directory.

        With `whole`, none of those that are being written to.
        """


@dataclass(slots=True, eq=False)
class _Watched:
    """What is known of a root.

    Attributes:
        room: in it.
        error: why it is not present.
        seen: the identity of the directory that was there in this run; None if none was yet.
        accepts: whether the user said that what is there is the root.
        looked_at: when, by the loop's time.
    """

    room: RoomGauge
    state: RootState = RootState.PRESENT
    error: RootUnavailableError | None = None
    seen: str | None = None
    accepts: bool = False
    looked_at: float = -math.inf


class RootWatch:
    """Looks at the roots in which there are torrents.

    Args:
        roots: which they are, and what identities they had.
        files: where they are.
        config: how often, and how much room there must be.
        observer: is told of news, once each.
    """

    def __init__(
        self,
        roots: StorageRootManager,
        files: FileSystem,
        config: StorageConfig,
        observer: RootObserver,
    ) -> None:
        self._roots = roots
        self._files = files
        self._config = config
        self._observer = observer
        self._watched: dict[str, _Watched] = {}
        self._looks = RootLooks(self._look)
        self._next_round = 0.0
        self._is_closed = False

    # What is known, as of the last look.

    def state(self, token: str) -> RootState:
        """Whether the root can be used."""
        watched = self._watched.get(token)
        return RootState.PRESENT if watched is None else watched.state

    def error(self, token: str) -> RootUnavailableError | None:
        """Why the root cannot be used; None if it can."""
        watched = self._watched.get(token)
        return None if watched is None else watched.error

    def free(self, token: str) -> int | None:
        """Free bytes; None before the first look."""
        watched = self._watched.get(token)
        return None if watched is None else watched.room.free

    def full(self, token: str) -> NoSpaceError | None:
        """Why downloads to the root have to wait; None if they need not."""
        root, watched = self._roots.find(token), self._watched.get(token)
        if root is None or watched is None or not watched.room.is_full:
            return None
        return NoSpaceError(root.label, root.path, watched.room.needed, watched.room.free or 0)

    # Looking.

    def beat(self, now: float) -> None:
        """Begin the looks that are due; call it about once a second."""
        for token in self._looks.overdue(now):
            self._lose(token, RootState.ABSENT, _NO_ANSWER)
        if now >= self._next_round:
            self._next_round = now + self._config.check_interval
            self._begin_round()
        self._looks.begin()

    async def look(self, token: str, *, within: float = 0.0) -> RootState:
        """Look now, and say what was found; the observer hears of it, too.

        What was found within the last so many seconds holds.
        For the start, and for when a file could not be used. A root that does not answer is absent.
        Raises ConfigError if there is no such root.
        """
        self._roots.get(token)
        now, watched = asyncio.get_running_loop().time(), self._watched.get(token)
        if watched is not None and token not in self._looks and now < watched.looked_at + within:
            return watched.state
        ended = self._looks.ask(token, urgent=True)
        await asyncio.wait([ended], timeout=LOOK_PATIENCE)
        if not ended.done():
            self._lose(token, RootState.ABSENT, _NO_ANSWER)
        return self.state(token)

    def suspect(self, token: str) -> None:
        """Something failed at the root: look at it before the others."""
        if not self._is_closed and self._roots.find(token) is not None:
            self._looks.ask(token, urgent=True)

    def repointed(self, token: str) -> None:
        """The root has another path: what was seen of it was seen at the old one."""
        if (watched := self._watched.get(token)) is not None:
            watched.looked_at = -math.inf
            self.suspect(token)

    async def accept(self, token: str) -> RootState:
        """The user says that what is at the root's place now is the root; then look.

        Raises ConfigError if there is no such root.
        """
        self._of(self._roots.get(token)).accepts = True
        return await self.look(token)

    def no_room(self, token: str) -> None:
        """A write failed for lack of room, whatever the last look said."""
        root = self._roots.find(token)
        if root is not None and self._of(root).room.refuse(asyncio.get_running_loop().time()):
            self._tell_room(root)
            self.suspect(token)  # how much there is now is not known

    async def close(self) -> None:
        """Look no more, and tell nothing more."""
        self._is_closed = True
        await self._looks.close()

    def _begin_round(self) -> None:
        used = {root.token for root in self._roots.in_use}
        for token in [token for token in self._watched if token not in used]:
            if token not in self._looks:
                del self._watched[token]
        waiting = [token for token in used if token not in self._looks]
        room = max(0, MAX_LOOKS_A_ROUND - self._looks.waiting)
        for token in nsmallest(room, waiting, key=self._turn):
            self._looks.ask(token)

    def _turn(self, token: str) -> tuple[float, str]:
        watched = self._watched.get(token)
        return (-1.0 if watched is None else watched.looked_at), token

    # A look.

    async def _look(self, token: str) -> None:
        root = self._roots.find(token)
        while root is not None and not self._is_closed:
            await self._look_at(root)
            # Again, if it was said meanwhile to be elsewhere.
            root = None if self._is_current(root) else self._roots.find(token)

    async def _look_at(self, root: StorageRoot) -> None:
        token = root.token
        self._of(root).looked_at = asyncio.get_running_loop().time()
        try:
            identity = await self._files.identify(root.path)
            has_files: bool | None = None
            if identity is None or identity != self._roots.identities.get(token):
                # In this run we may have made files ourselves where another directory is now.
                expected = self._observer.files_expected(root, whole=self._was_seen(root))
                has_files = await look_for_files(self._files, root.path, expected)
            if self._is_current(root):
                self._found(root, identity, has_files)
            if self._is_current(root) and self.state(token) is RootState.PRESENT:
                await self._measure(root)
        except StorageError as error:
            if self._is_current(root):
                self._lose(token, RootState.ABSENT, _why(error), error.errno)
        except Exception:  # noqa: BLE001 - it is logged whole
            _LOG.exception("the storage root %r could not be looked at", root.label)

    def _found(self, root: StorageRoot, identity: str | None, has_files: bool | None) -> None:
        watched = self._of(root)
        remembered = self._roots.identities.get(root.token)
        state = judge(identity, remembered, has_files, seen=self._was_seen(root))
        accepted, watched.accepts = watched.accepts, False
        if accepted:
            state = RootState.PRESENT
        if state is not RootState.PRESENT:
            self._lose(root.token, state, _WHY[state])
            return
        # Nothing is remembered of a root that was repointed: that may be the same directory.
        before = remembered or watched.seen
        if self._was_seen(root) and identity != before and not accepted:
            # Files that are open are those of the old one, and who knows what reached it.
            self._lose(root.token, RootState.CHANGED, _ANEW)
        watched.seen = identity
        self._roots.set_identity(root.token, identity)
        if watched.state is not RootState.PRESENT:
            watched.state, watched.error = RootState.PRESENT, None
            _LOG.info("the storage root %r is available: %s", root.label, root.path)
            self._observer.root_found(root)

    async def _measure(self, root: StorageRoot) -> None:
        try:
            free = await self._files.free_space(root.path)
        except StorageError as error:
            _LOG.debug("the room in the storage root %r is not known: %s", root.label, error)
            return
        now = asyncio.get_running_loop().time()
        if self._is_current(root) and self._of(root).room.measure(free, now):
            self._tell_room(root)

    def _was_seen(self, root: StorageRoot) -> bool:
        return self._of(root).seen is not None

    def _is_current(self, root: StorageRoot) -> bool:
        """Whether the root is where it was when the look began."""
        now = self._roots.find(root.token)
        return not self._is_closed and now is not None and now.path == root.path

    def _of(self, root: StorageRoot) -> _Watched:
        watched = self._watched.get(root.token)
        if watched is None:
            room = RoomGauge(self._config.min_free_space)
            watched = self._watched[root.token] = _Watched(room)
        return watched

    # News.

    def lost(self, token: str, error: RootUnavailableError) -> None:
        """Whoever has the disk says that it is away, whatever the last look said."""
        self._lose(token, RootState.ABSENT, error.why, error.errno)
        self.suspect(token)

    def _lose(self, token: str, state: RootState, why: str, errno: int | None = None) -> None:
        root = self._roots.find(token)
        if root is None or self._is_closed:
            return
        watched = self._of(root)
        was_present = watched.state is RootState.PRESENT
        watched.state = state
        watched.error = RootUnavailableError(root.label, root.path, why, errno)
        if was_present:
            _LOG.warning("%s", watched.error)
            self._observer.root_lost(root, watched.error)

    def _tell_room(self, root: StorageRoot) -> None:
        error, free = self.full(root.token), self.free(root.token) or 0
        if error is not None:
            _LOG.warning("%s", error)
            self._observer.root_full(root, error)
        else:
            _LOG.info("the storage root %r has room again: %s bytes", root.label, f"{free:,}")
            self._observer.root_roomy(root, free)


def _why(error: StorageError) -> str:
    return error.why if isinstance(error, RootUnavailableError) else error.cause
