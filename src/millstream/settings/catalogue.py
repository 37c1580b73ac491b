"""Every setting there is, as the dataclasses of `EngineConfig` and `ServiceConfig` have them."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import functools
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from millstream.engine.config import EngineConfig
from millstream.errors import ConfigError
from millstream.service.config import ServiceConfig
from millstream.settings.docstrings import attributes, split_range, summary
from millstream.settings.units import Unit, unit_of

PREFIX = "MILLSTREAM"
# TOML has no null. This word is the value None, where a setting has it.
NONE_WORD = "none"
# TOML 1.0, "Integer": 64 bit, signed.
MAX_INTEGER = (1 << 63) - 1
# In a path: any name that the user gives, as in `watch.*.folder`.
ANY = "*"

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSettings:
    """All settings.

    Attributes:
        engine: of the engine.
        service: of what a daemon does beside it.
    """

    engine: EngineConfig = dataclasses.field(default_factory=EngineConfig)
    service: ServiceConfig = dataclasses.field(default_factory=ServiceConfig)


class Kind(enum.Enum):
    """What a setting's value is; the words complete "it must be"."""

    TRUTH = "true or false"
    WHOLE = "a whole number"
    NUMBER = "a number"
    TEXT = "a text"
    CHOICE = "one of"
    TEXTS = "a list of texts"
    WHOLES = "a list of one or more whole numbers"


_KINDS = {
    bool: Kind.TRUTH,
    int: Kind.WHOLE,
    float: Kind.NUMBER,
    str: Kind.TEXT,
    tuple[str, ...]: Kind.TEXTS,
    frozenset[int]: Kind.WHOLES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting.

    Attributes:
        path: the names from the file's top: `("network", "listen_port")`.
        kind: what its value is.
        optional: whether it may be None.
        default: its value if nobody sets it; None, too, if it then has none at all.
        needed: whether its table is incomplete without it.
        low: the least number, or infinite.
        high: the greatest number, or infinite.
        choices: the enumeration whose values it takes, if it is a CHOICE.
        meaning: what it does, from the docstring.
        documented_range: the docstring's words for its range; may be empty.
        unit: what its number counts, if texts such as "2 MiB" or "30 days" may stand for it.
        is_secret: whether its value is for nobody's eyes.
    """

    path: Names
    kind: Kind
    optional: bool = False
    default: object = None
    needed: bool = False
    low: float = -math.inf
    high: float = math.inf
    choices: type[enum.Enum] | None = None
    meaning: str = ""
    documented_range: str = ""
    unit: Unit | None = None
    is_secret: bool = False

    @property
    def key(self) -> str:
        """As in the file: `network.listen_port`."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """As in the environment: `MILLSTREAM_NETWORK_LISTEN_PORT`; empty for what is not there."""
        if any(is_named(self.path[:end]) for end in range(len(self.path))):
            return ""
        return "_".join((PREFIX, *self.path)).upper()

    @property
    def expected(self) -> str:
        """What a value must be, with its range: the end of a sentence."""
        bounds = ""
        if math.isfinite(self.low):
            upper = f" to {self.high:.15g}" if math.isfinite(self.high) else " or more"
            each = ", each" if self.kind is Kind.WHOLES else ","
            bounds = f"{each} {self.low:.15g}{upper}"
        words = self.kind.value
        if self.choices is not None:
            words = " or ".join(f'"{choice.value}"' for choice in self.choices)
        text = "" if self.unit is None else f', or a text such as "{self.unit.value}"'
        return f"{words}{bounds}{text}" + (f', or "{NONE_WORD}"' if self.optional else "")

    @property
    def range_words(self) -> str:
        """Its range for people: the docstring's words, which know units, if it has some."""
        if not self.documented_range:
            return self.expected
        return self.documented_range + (f', or "{NONE_WORD}"' if self.optional else "")

    def of(self, settings: UserSettings) -> object:
        """Its value; None also where the whole table is not there."""
        value: object = settings.service if self.path[0] in _SERVICE else settings.engine
        for name in self.path:
            value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A table of the file.

    Attributes:
        path: its name; empty for the top of the file.
        meaning: what it is about.
        settings: its settings, in the order of the dataclass.
    """

    path: Names
    meaning: str
    settings: tuple[Setting, ...]

    @property
    def name(self) -> str:
        """As in the file: `limits.schedule`."""
        return ".".join(self.path)


@functools.cache
def all_sections() -> tuple[Section, ...]:
    """Every table, the top of the file first; tables that the user names are called `*`."""
    top, *others = _sections(EngineConfig, (), EngineConfig())
    _, *service = _sections(ServiceConfig, (), ServiceConfig())
    return (top, *others, *service)


@functools.cache
def all_settings() -> tuple[Setting, ...]:
    """Every setting, by tables."""
    return tuple(setting for section in all_sections() for setting in section.settings)


def is_named(path: Names) -> bool:
    """Whether the tables in this one have names of the user's: `("watch",)`."""
    return path in _named_tables()


def find_setting(path: Names) -> Setting | None:
    """The setting with this path, whatever its user's names are; None if there is none."""
    found = _settings_by_path().get(_pattern(path))
    return found and dataclasses.replace(found, path=path)


def find_section(path: Names) -> Section | None:
    """The table with this path, whatever its user's names are; None if there is none."""
    found = _sections_by_path().get(_pattern(path))
    return found and dataclasses.replace(
        found,
        path=path,
        settings=tuple(
            [dataclasses.replace(each, path=(*path, each.path[-1])) for each in found.settings]
        ),
    )


def sections_of(settings: UserSettings) -> tuple[Section, ...]:
    """Every table, those with the names that the user gave in place of `*`, if there are some."""
    found: list[Section] = []
    for section in all_sections():
        names: object = None
        if section.path and section.path[-1] == ANY:
            names = getattr(settings.service, section.path[0])
        if isinstance(names, Mapping) and names:
            made = [find_section((*section.path[:-1], name)) for name in names]
            found += [each for each in made if each is not None]
        else:
            found.append(section)
    return tuple(found)


def build(values: Mapping[Names, object]) -> UserSettings:
    """The settings with these values and, for all others, the defaults.

    Raises:
        ConfigError: the values do not go together, or one is out of its range.
    """
    return UserSettings(
        engine=typing.cast("EngineConfig", _build(EngineConfig, (), values)),
        service=typing.cast("ServiceConfig", _build(ServiceConfig, (), values)),
    )


_SERVICE = frozenset(field.name for field in dataclasses.fields(ServiceConfig))


@functools.cache
def _settings_by_path() -> dict[Names, Setting]:
    return {setting.path: setting for setting in all_settings()}


@functools.cache
def _sections_by_path() -> dict[Names, Section]:
    return {section.path: section for section in all_sections()}


@functools.cache
def _named_tables() -> frozenset[Names]:
    return frozenset(
        section.path[:-1] for section in all_sections() if section.path and section.path[-1] == ANY
    )


def _pattern(path: Names) -> Names:
    """A path with `*` for the user's name in it."""
    for end in range(1, len(path)):
        if is_named(path[:end]):
            return (*path[:end], ANY, *path[end + 1 :])
    return path


def _build(made: type, path: Names, values: Mapping[Names, object]) -> object:
    given: dict[str, object] = {}
    missing: list[str] = []
    for field, hint, optional in _fields(made):
        here = (*path, field.name)
        if (inner := _named_table(hint)) is not None:
            given[field.name] = _build_named(inner, here, values)
        elif _is_table(hint):
            if not optional or any(key[: len(here)] == here for key in values):
                given[field.name] = _build(hint, here, values)
        elif here in values:
            given[field.name] = values[here]
        elif _is_needed(field):
            missing.append(field.name)
    if missing:
        raise ConfigError(f"{'.'.join(path)} lacks {' and '.join(missing)}")
    return made(**given)


def _build_named(made: type, path: Names, values: Mapping[Names, object]) -> dict[str, object]:
    names = dict.fromkeys(key[len(path)] for key in values if key[: len(path)] == path)
    built: dict[str, object] = {}
    for name in names:
        try:
            built[name] = _build(made, (*path, name), values)
        except ConfigError as error:
            # The dataclass knows its table's name and not the user's.
            table = ".".join(path)
            text = re.sub(rf"\b{table}\.(?!{re.escape(name)}\b)", f"{table}.{name}.", str(error))
            raise ConfigError(text) from None
    return built


def _sections(described: type, path: Names, defaults: object) -> Iterator[Section]:
    words = attributes(described)
    ranges = getattr(described, "RANGES", {})
    secrets: frozenset[str] = getattr(described, "SECRETS", frozenset())
    settings: list[Setting] = []
    inner: list[Section] = []
    for field, hint, optional in _fields(described):
        here = (*path, field.name)
        if (named := _named_table(hint)) is not None:
            inner.append(Section(path=here, meaning=summary(named), settings=()))
            inner += _sections(named, (*here, ANY), None)
            continue
        if _is_table(hint):
            inner += _sections(hint, here, getattr(defaults, field.name, None))
            continue
        choices = _choices(hint)
        meaning, documented_range = split_range(words.get(field.name, ""))
        low, high = ranges.get(field.name, (-math.inf, math.inf))
        kind = Kind.CHOICE if choices is not None else _KINDS[hint]
        settings.append(
            Setting(
                path=here,
                kind=kind,
                optional=optional,
                # Of a table that is None by default, what it has where only the others are given.
                default=getattr(defaults, field.name, None if _is_needed(field) else field.default),
                needed=_is_needed(field),
                low=low,
                high=high,
                choices=choices,
                meaning=meaning,
                documented_range=documented_range,
                unit=unit_of(field.name) if kind in {Kind.WHOLE, Kind.NUMBER} else None,
                is_secret=field.name in secrets,
            )
        )
    yield Section(path=path, meaning=summary(described), settings=tuple(settings))
    yield from inner


def _fields(described: type) -> Iterator[tuple[dataclasses.Field[object], typing.Any, bool]]:
    """Each field, its type without None, and whether it may be None."""
    hints = typing.get_type_hints(described)
    for field in dataclasses.fields(described):
        hint, optional = hints[field.name], False
        if isinstance(hint, types.UnionType):
            [hint] = [part for part in typing.get_args(hint) if part is not types.NoneType]
            optional = True
        yield field, hint, optional


def _is_table(hint: typing.Any) -> bool:
    return dataclasses.is_dataclass(hint)


def _named_table(hint: typing.Any) -> type | None:
    """The dataclass of the tables in a table in which the user names them."""
    if typing.get_origin(hint) is not collections.abc.Mapping:
        return None
    named = typing.get_args(hint)[1]
    return named if isinstance(named, type) and dataclasses.is_dataclass(named) else None


def _choices(hint: typing.Any) -> type[enum.Enum] | None:
    if isinstance(hint, enum.EnumMeta) and issubclass(hint, enum.Enum):
        return hint
    return None


def _is_needed(field: dataclasses.Field[object]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
