"""What a torrent is added with that matters once its pieces are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from millstream.engine.file_choice import NO_CHOICE, FileChoice
from millstream.errors import ConfigError
from millstream.protocol.file_selection import FileSelection
from millstream.protocol.metainfo import Metainfo

if TYPE_CHECKING:
    from millstream.storage.resume import ResumeState

Selection = Iterable[int] | Callable[[Metainfo], Iterable[int]]
"""Numbers of files, from 0; or what says them once the files are known."""


@dataclass(frozen=True, slots=True)
class TorrentOptions:
    """How to go about a torrent.

    Attributes:
        sequential: whether to fetch pieces in order.
        select: the files to get, by number, or what says them once the metainfo is known; None for
            all, or what the magnet selects.
        observe: whether to stay connected to seeds though nothing is wanted of them.
        first_last: whether the first and last pieces of files come before all others.
        priorities: what was saved of the files' priorities; with these, `select` says nothing.
    """

    sequential: bool = False
    select: frozenset[int] | FileSelection | Callable[[Metainfo], Iterable[int]] | None = None
    observe: bool = False
    first_last: bool = False
    priorities: bytes = b""

    @classmethod
    def make(
        cls, *, sequential: bool, select: Selection | None, observe: bool, first_last: bool
    ) -> Self:
        """From what a user says."""
        if observe:
            select = ()
        if select is None or callable(select):
            return cls(sequential, select, observe, first_last)
        return cls(sequential, frozenset(select), observe, first_last)

    @classmethod
    def of_state(cls, state: ResumeState) -> Self:
        """From what is remembered."""
        return cls(
            state.sequential, state.selection, state.observe, state.first_last, state.priorities
        )

    def or_select(self, selection: FileSelection | None) -> Self:
        """With this selection, if nobody said another."""
        return self if self.select is not None else replace(self, select=selection)

    @property
    def selection(self) -> FileSelection | None:
        """The files to get, if that is known already."""
        if self.select is None or callable(self.select):
            return None
        if isinstance(self.select, FileSelection):
            return self.select
        return FileSelection.of(self.select)

    def choose(self, metainfo: Metainfo) -> FileChoice:
        """Which files are wanted. Raises ConfigError for whatever a user's function raises."""
        count = len(metainfo.files)
        if self.priorities:
            return FileChoice.restored(self.priorities, count, first_last=self.first_last)
        selected = self._selected(metainfo)
        if selected is None and not self.first_last:
            return NO_CHOICE
        choice = FileChoice.of_selection(selected, count)
        return replace(choice, first_last=self.first_last)

    def _selected(self, metainfo: Metainfo) -> Iterable[int] | None:
        if self.select is None or isinstance(self.select, frozenset):
            return self.select
        if isinstance(self.select, FileSelection):
            return self.select.indexes(len(metainfo.files))
        try:
            return self.select(metainfo)
        except ConfigError:
            raise
        except Exception as error:
            raise ConfigError(f"select: {error!r}") from error
