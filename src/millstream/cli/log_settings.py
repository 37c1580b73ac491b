"""What of the log the user wants to see, and where: the options before the command."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from millstream.errors import ConfigError, StorageError
from millstream.logging.components import COMPONENTS, ROOT, logger_name, parse_level

LogLevelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--log-level",
        metavar="[COMPONENT=]LEVEL",
        help=(
            "Log from this level on: debug, info, warning or error, of everything or of one "
            f"component: {', '.join(COMPONENTS)}. May be repeated."
        ),
        show_default=False,
    ),
]
LogFileOption = Annotated[
    Path | None,
    typer.Option(
        "--log-file",
        metavar="FILE",
        help="Append the log to a file instead of writing it to stderr; from level info on.",
        show_default=False,
    ),
]
LogJsonOption = Annotated[
    bool, typer.Option("--log-json", help="Log as JSON lines, one object a line.")
]


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where the log goes, and how much of it.

    Attributes:
        level: of all that has no level of its own; None if nothing is to be logged at all.
        levels: of single components.
        everything: whether other libraries are heard from the same level on.
        file: where to append; None for stderr.
        as_json: whether for programs rather than for people.
    """

    level: int | None = None
    levels: Mapping[str, int] = field(default_factory=dict)
    everything: bool = False
    file: Path | None = None
    as_json: bool = False

    @classmethod
    def read(
        cls, *, debug: bool, levels: Iterable[str], file: Path | None, as_json: bool
    ) -> LogSettings:
        """The settings of a command line.

        Raises:
            typer.BadParameter: there is no such level or component.
        """
        general: int | None = None
        single: dict[str, int] = {}
        for text in levels:
            component, equals, level = text.rpartition("=")
            try:
                number = parse_level(level)
            except ConfigError as error:
                raise typer.BadParameter(str(error), param_hint="--log-level") from error
            if not equals:
                general = number
            elif component in COMPONENTS:
                single[component] = number
            else:
                names = ", ".join(COMPONENTS)
                raise typer.BadParameter(
                    f"{component!r} is no component; these are: {names}", param_hint="--log-level"
                )
        if general is None:
            if debug:
                general = logging.DEBUG
            elif file is not None or as_json:
                general = logging.INFO
            elif single:
                # Whoever asks for one component need not hear of the others.
                general = logging.WARNING
        return cls(general, single, debug, file, as_json)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Log so until the end of the block.

        Raises:
            StorageError: the file cannot be written.
        """
        root = logging.getLogger()
        handler = self._handler()
        before = {
            name: logging.getLogger(name).level
            for name in (None, ROOT, *map(logger_name, self.levels))
        }
        root.addHandler(handler)
        try:
            if self.level is not None:
                logging.getLogger(ROOT).setLevel(self.level)
                if self.everything:
                    root.setLevel(self.level)
            for component, level in self.levels.items():
                logging.getLogger(logger_name(component)).setLevel(level)
            yield
        finally:
            root.removeHandler(handler)
            handler.close()
            for name, level in before.items():
                logging.getLogger(name).setLevel(level)

    def _handler(self) -> logging.Handler:
        if self.level is None:
            # What matters reaches the user as an event or an error; a stray line breaks the view.
            return logging.NullHandler()
        from logging.handlers import WatchedFileHandler

        from millstream.logging import HumanFormatter, JsonLinesFormatter

        handler: logging.Handler
        if self.file is None:
            handler = logging.StreamHandler()
        else:
            try:
                # Who moves the file away, as logrotate does, gets a new one in its place.
                handler = WatchedFileHandler(self.file, encoding="utf-8")
            except OSError as error:
                cause = error.strerror or str(error)
                raise StorageError(str(self.file), cause, error.errno) from error
        handler.setFormatter(JsonLinesFormatter() if self.as_json else HumanFormatter())
        return handler
