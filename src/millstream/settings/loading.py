"""The settings, from the user's file and environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from millstream.engine.config import EngineConfig
from millstream.errors import ConfigError
from millstream.settings.catalogue import Setting, UserSettings, build
from millstream.settings.sources import (
    PATH_VARIABLE,
    Given,
    from_environment,
    read_file,
    settings_path,
)

DEFAULT_SOURCE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """What was found.

    Attributes:
        settings: all of them.
        path: the file, which need not exist.
        given: who gave what, of those that are in force.
    """

    settings: UserSettings
    path: Path
    given: Mapping[tuple[str, ...], Given]

    @property
    def config(self) -> EngineConfig:
        """Those of the engine."""
        return self.settings.engine

    def source_of(self, setting: Setting) -> str:
        """The file's path, the variable's name, or `default`."""
        given = self.given.get(setting.path)
        return DEFAULT_SOURCE if given is None else given.source


def load_settings(
    path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None
) -> EngineConfig:
    """Read the engine's settings: the file's, and those of the environment over them.

    Args:
        path: the TOML file; None for $MILLSTREAM_CONFIG or, if that is not set, the user's own
            file, which need not exist.
        environ: the environment; None for that of the process.

    Raises:
        ConfigError: a key is no setting, or a value has the wrong type or is out of range; the
            message names the file or the variable, the key, the value and the range.
        StorageError: the file cannot be read, or was named and does not exist.
    """
    return load(path, environ).config


def load(
    path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None
) -> LoadedSettings:
    """Read the settings as `load_settings` does, and keep who gave what."""
    environ = os.environ if environ is None else environ
    file = settings_path(environ) if path is None else Path(path)
    may_lack = path is None and not environ.get(PATH_VARIABLE)
    given = {each.path: each for each in read_file(file, may_lack=may_lack)}
    given |= {each.path: each for each in from_environment(environ)}
    try:
        settings = build({each.path: each.value for each in given.values()})
    except ConfigError as error:
        # Each value was right alone: this is of several, or of a check without a range.
        sources = " and ".join(dict.fromkeys(each.source for each in given.values()))
        raise ConfigError(f"{sources}: {error}") from None
    return LoadedSettings(settings=settings, path=file, given=given)
