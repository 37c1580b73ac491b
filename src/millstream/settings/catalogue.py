"""Every setting there is, as the dataclasses of `EngineConfig` have them."""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from millstream.engine.config import EngineConfig
from millstream.errors import ConfigError
from millstream.settings.docstrings import attributes, split_range, summary

PREFIX = "MILLSTREAM"
# TOML has no null. This word is the value None, where a setting has it.
NONE_WORD = "none"
# TOML 1.0, "Integer": 64 bit, signed.
MAX_INTEGER = (1 << 63) - 1

Names = tuple[str, ...]


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

    @property
    def key(self) -> str:
        """As in the file: `network.listen_port`."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """As in the environment: `MILLSTREAM_NETWORK_LISTEN_PORT`."""
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
        return f"{words}{bounds}" + (f', or "{NONE_WORD}"' if self.optional else "")

    @property
    def range_words(self) -> str:
        """Its range for people: the docstring's words, which know units, if it has some."""
        if not self.documented_range:
            return self.expected
        return self.documented_range + (f', or "{NONE_WORD}"' if self.optional else "")

    def of(self, config: EngineConfig) -> object:
        """Its value in a configuration; None also where the whole table is None."""
        value: object = config
        for name in self.path:
            value = getattr(value, name, None)
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
    """Every table, the top of the file first."""
    return tuple(_sections(EngineConfig, (), EngineConfig()))


@functools.cache
def all_settings() -> tuple[Setting, ...]:
    """Every setting, by tables."""
    return tuple(setting for section in all_sections() for setting in section.settings)


def build(values: Mapping[Names, object]) -> EngineConfig:
    """A configuration of these values and, for all others, the defaults.

    Raises:
        ConfigError: the values do not go together, or one is out of its range.
    """
    return typing.cast("EngineConfig", _build(EngineConfig, (), values))


def _build(made: type, path: Names, values: Mapping[Names, object]) -> object:
    given: dict[str, object] = {}
    missing: list[str] = []
    for field, hint, optional in _fields(made):
        here = (*path, field.name)
        if _is_table(hint):
            if not optional or any(key[: len(here)] == here for key in values):
                given[field.name] = _build(hint, here, values)
        elif here in values:
            given[field.name] = values[here]
        elif _is_needed(field):
            missing.append(field.name)
    if missing:
        raise ConfigError(f"{'.'.join(path)} lacks {' and '.join(missing)}")
    return made(**given)


def _sections(described: type, path: Names, defaults: object) -> Iterator[Section]:
    words = attributes(described)
    ranges = getattr(described, "RANGES", {})
    settings: list[Setting] = []
    inner: list[Section] = []
    for field, hint, optional in _fields(described):
        here = (*path, field.name)
        if _is_table(hint):
            inner += _sections(hint, here, getattr(defaults, field.name, None))
            continue
        choices = _choices(hint)
        meaning, documented_range = split_range(words.get(field.name, ""))
        low, high = ranges.get(field.name, (-math.inf, math.inf))
        settings.append(
            Setting(
                path=here,
                kind=Kind.CHOICE if choices is not None else _KINDS[hint],
                optional=optional,
                # Of a table that is None by default, what it has where only the others are given.
                default=getattr(defaults, field.name, None if _is_needed(field) else field.default),
                needed=_is_needed(field),
                low=low,
                high=high,
                choices=choices,
                meaning=meaning,
                documented_range=documented_range,
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


def _choices(hint: typing.Any) -> type[enum.Enum] | None:
    if isinstance(hint, enum.EnumMeta) and issubclass(hint, enum.Enum):
        return hint
    return None


def _is_needed(field: dataclasses.Field[object]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
