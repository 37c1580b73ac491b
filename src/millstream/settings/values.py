"""A setting's value: from TOML, from a variable's text, and back to TOML."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable

from millstream.errors import ConfigError
from millstream.settings.catalogue import MAX_INTEGER, NONE_WORD, Kind, Setting
from millstream.settings.units import parse_quantity, written

# So much of a wrong value is shown.
MAX_SHOWN = 60
# What is shown of a secret.
HIDDEN = "(hidden)"

_TRUTHS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def from_toml(setting: Setting, raw: object) -> object:
    """The value that a TOML value stands for.

    Raises:
        ConfigError: it has another type or is out of range; the message names the key, the value
            and the range.
    """
    try:
        return _read(setting, raw)
    except ValueError:
        raise _misfit(setting, raw) from None


def from_text(setting: Setting, text: str) -> object:
    """The value that a text stands for, as an environment variable gives it.

    Lists have commas between their items.

    Raises:
        ConfigError: it is no such value; the message names the key, the value and the range.
    """
    text = text.strip()
    try:
        return _read(setting, _raw_of(setting, text))
    except ValueError:
        raise _misfit(setting, text) from None


def _misfit(setting: Setting, raw: object) -> ConfigError:
    value = HIDDEN if setting.is_secret else shown(raw)
    return ConfigError(f"{setting.key} is {value}; it must be {setting.expected}")


def plain(value: object) -> object:
    """A value as JSON and TOML have it; None stays None."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


def to_toml(value: object) -> str:
    """A setting's value as it is written in the file."""
    # JSON's texts, numbers, truths and lists are TOML's; surrogate escapes are not, so no ASCII.
    return json.dumps(NONE_WORD if value is None else plain(value), ensure_ascii=False)


def default_words(setting: Setting) -> str:
    """A setting's default as it is best written in the file: with a unit if that is exact."""
    value = setting.default
    if setting.unit is not None and isinstance(value, int | float):
        return to_toml(written(setting.unit, value) or value)
    return to_toml(value)


def shown(raw: object) -> str:
    """A wrong value in a message; a long one is cut."""
    if isinstance(raw, dict):
        return "a table"
    try:
        text = to_toml(raw) if isinstance(raw, (str, bool)) else repr(raw)
    except (ValueError, RecursionError):
        # Thousands of digits or of brackets.
        return f"a {type(raw).__name__} too long to show"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _raw_of(setting: Setting, text: str) -> object:
    if setting.optional and text.lower() == NONE_WORD:
        return NONE_WORD
    match setting.kind:
        case Kind.TRUTH:
            if text.lower() not in _TRUTHS:
                raise ValueError
            return _TRUTHS[text.lower()]
        case Kind.WHOLE | Kind.NUMBER:
            try:
                return int(text) if setting.kind is Kind.WHOLE else float(text)
            except ValueError:
                if setting.unit is None:
                    raise
                return text
        case Kind.TEXTS:
            return _items(text)
        case Kind.WHOLES:
            return [int(item) for item in _items(text)]
        case Kind.TEXT | Kind.CHOICE:
            return text


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _read(setting: Setting, raw: object) -> object:
    if setting.optional and raw == NONE_WORD:
        return None
    if setting.unit is not None and isinstance(raw, str):
        quantity = parse_quantity(setting.unit, raw)
        raw = int(quantity) if quantity == int(quantity) else quantity
    match setting.kind, raw:
        case Kind.TRUTH, bool():
            return raw
        case Kind.WHOLE, int():
            return _whole(setting, raw)
        case Kind.NUMBER, int() | float() if not isinstance(raw, bool):
            if not setting.low <= raw <= setting.high:
                raise ValueError
            # Without bounds a number may still be too great for a float.
            return float(_whole(setting, raw)) if isinstance(raw, int) else raw
        case (Kind.TEXT, str()):
            return raw
        case Kind.CHOICE, str() if setting.choices is not None:
            return setting.choices(raw)
        case Kind.TEXTS, list():
            return tuple(_texts(raw))
        case Kind.WHOLES, list() if raw:
            return frozenset(_whole(setting, item) for item in raw)
    raise ValueError


def _whole(setting: Setting, raw: object) -> int:
    # True and False are integers to Python, and to nobody else.
    if not isinstance(raw, int) or isinstance(raw, bool) or abs(raw) > MAX_INTEGER:
        raise ValueError
    if not setting.low <= raw <= setting.high:
        raise ValueError
    return raw


def _texts(items: Iterable[object]) -> Iterable[str]:
    for item in items:
        if not isinstance(item, str):
            raise ValueError  # noqa: TRY004 - one error for all that does not fit
        yield item
