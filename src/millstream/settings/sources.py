"""Where settings come from: the file's place, its tables, and the environment's variables."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from millstream.errors import ConfigError, StorageError
from millstream.settings.catalogue import (
    PREFIX,
    all_sections,
    all_settings,
    find_section,
    find_setting,
    is_named,
)
from millstream.settings.values import MAX_SHOWN, from_text, from_toml, shown
from millstream.user_directories import config_directory

# Names another file than the user's own.
PATH_VARIABLE = f"{PREFIX}_CONFIG"
FILE_NAME = "settings.toml"
# All settings with their documentation are 10 KiB.
MAX_FILE_LENGTH = 1 << 20
# Of tables that the user names; they stand in messages.
MAX_NAME = 64

_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_NAME}}}")


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gave.

    Attributes:
        path: the setting's names.
        value: checked, and of the setting's type.
        source: the file's path or the variable's name.
    """

    path: tuple[str, ...]
    value: object
    source: str


def settings_path(environ: Mapping[str, str]) -> Path:
    """Where the settings file is, or would be.

    $MILLSTREAM_CONFIG, or `millstream/settings.toml` in the user's configuration directory.
    """
    named = environ.get(PATH_VARIABLE)
    if named:
        return Path(named)
    return config_directory(environ, sys.platform) / "millstream" / FILE_NAME


def read_file(path: Path, *, may_lack: bool = False) -> list[Given]:
    """Read a settings file.

    Args:
        path: where it is.
        may_lack: whether no file is as good as an empty one.

    Raises:
        StorageError: it cannot be read.
        ConfigError: it is no TOML, or holds a wrong key or value; the message names the file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_LENGTH + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        if may_lack:
            return []
        raise StorageError(str(path), "there is no such settings file", error.errno) from error
    except OSError as error:
        raise StorageError(str(path), error.strerror or str(error), error.errno) from error
    except ValueError as error:  # a NUL in the path
        raise StorageError(str(path), str(error)) from error
    try:
        return list(from_tables(_parse(data), str(path)))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def from_tables(tables: Mapping[str, object], source: str) -> Iterator[Given]:
    """Take the values out of parsed TOML.

    Raises:
        ConfigError: a key is no setting, or its value is wrong.
    """
    waiting: list[tuple[tuple[str, ...], object]] = [((), tables)]
    while waiting:
        path, raw = waiting.pop()
        if is_named(path[:-1]) and not _NAME.fullmatch(path[-1]):
            raise ConfigError(
                f"{path[0]}.{shown(path[-1])} is no name; it must be {MAX_NAME} or fewer of "
                "a-z, A-Z, 0-9, - and _"
            )
        if (setting := find_setting(path)) is not None:
            yield Given(path, from_toml(setting, raw), source)
        elif (section := find_section(path)) is None:
            raise ConfigError(_unknown(".".join(path), raw, [each.key for each in all_settings()]))
        elif isinstance(raw, dict):
            if is_named(path[:-1]):
                lacking = [each for each in section.settings if each.needed]
                if lacking and not raw:
                    raise ConfigError(f"{'.'.join(path)} lacks {lacking[0].path[-1]}")
            waiting += [((*path, name), inner) for name, inner in reversed(raw.items())]
        else:
            raise ConfigError(f"{'.'.join(path)} is {shown(raw)}; it must be a table")


def from_environment(environ: Mapping[str, str]) -> Iterator[Given]:
    """Take the values out of the environment. An empty variable counts as none.

    Variables that begin with the name of a table are ours; of others, such as MILLSTREAM_DEBUG,
    nothing is said.

    Raises:
        ConfigError: a variable is no setting, or its value is wrong; the message names it.
    """
    settings = {setting.variable: setting for setting in all_settings() if setting.variable}
    ours = tuple(
        f"{'_'.join((PREFIX, *section.path)).upper()}_"
        for section in all_sections()
        if section.path
    )
    for name, text in sorted(environ.items()):
        if not text:
            continue
        if name in settings:
            setting = settings[name]
            try:
                yield Given(setting.path, from_text(setting, text), name)
            except ConfigError as error:
                raise ConfigError(f"{name}: {error}") from None
        elif name.startswith(ours):
            raise ConfigError(_unknown(name, text, settings))


def _parse(data: bytes) -> dict[str, object]:
    if len(data) > MAX_FILE_LENGTH:
        raise ConfigError(f"it is longer than {MAX_FILE_LENGTH} bytes")
    # Here: most users have no such file.
    import tomllib  # noqa: PLC0415

    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"it is no UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise ConfigError("its lists are nested too deep") from None
    except ValueError as error:
        # Not only TOMLDecodeError: dates that do not exist, numbers with thousands of digits.
        raise ConfigError(f"it is no TOML: {error}") from None


def _unknown(name: str, raw: object, known: Iterable[str]) -> str:
    short = name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}..."
    near = difflib.get_close_matches(name, known, n=1) if short == name else []
    hint = f"did you mean {near[0]}?" if near else "`millstream settings` lists all"
    return f"{short} (it is {shown(raw)}) is no setting; {hint}"
