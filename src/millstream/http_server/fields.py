"""Reading the body of a request, field by field; what is wrong is said with the field's name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from millstream.http_server.refusal import Refusal, invalid

T = TypeVar("T")

_KINDS = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def parse_json(body: bytes) -> Fields:
    """Read a body; an empty one is an object without fields. Raises Refusal."""
    if not body.strip():
        return Fields({})
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Refusal(400, "MalformedJson", f"the body is no JSON: {why}") from None
    if not isinstance(value, dict):
        raise Refusal(
            400, "MalformedJson", f"the body must be a JSON object, and it is {_kind(value)}"
        )
    return Fields(value)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class Fields:
    """An object of JSON. Each reader takes a field out; `finish` refuses what nobody took.

    A field that is null counts as left out. Every reader raises Refusal.

    Args:
        values: the object.
        prefix: where it stands in the body, such as `config.`.
    """

    def __init__(self, values: Mapping[str, object], prefix: str = "") -> None:
        self._left = dict(values)
        self._prefix = prefix

    def name(self, key: str) -> str:
        """The field's name in the whole body."""
        return f"{self._prefix}{key}"

    def text(self, key: str, *, longest: int = 4096) -> str | None:
        """A string."""
        value: str | None = self._take(key, str)
        if value is not None and len(value) > longest:
            raise invalid(self.name(key), f"has {len(value)} characters; {longest} is the most")
        return value

    def choice(self, key: str, choices: Sequence[str]) -> str | None:
        """One of some words."""
        value: str | None = self._take(key, str)
        if value is not None and value not in choices:
            raise invalid(self.name(key), f"is {value[:40]!r}; it must be {' or '.join(choices)}")
        return value

    def path(self, key: str) -> str | None:
        """An absolute path of the server's machine: its own directory is nobody's business."""
        value = self.text(key)
        if value is None:
            return None
        is_absolute = value.startswith("/") or value[1:3] in {":\\", ":/"}
        if "\0" in value or not is_absolute:
            raise invalid(self.name(key), f"is {value[:80]!r}; it must be an absolute path")
        return value

    def integer(self, key: str, low: int, high: int) -> int | None:
        """A whole number of a range."""
        value: int | None = self._take(key, int)
        if value is not None and not low <= value <= high:
            raise invalid(self.name(key), f"is {value}; it must be {low} to {high}")
        return value

    def number(self, key: str, low: float, high: float) -> float | None:
        """A number of a range."""
        value: float | None = self._take(key, int, float)
        if value is not None and not low <= value <= high:
            raise invalid(self.name(key), f"is {value}; it must be {low:g} to {high:g}")
        return value

    def flag(self, key: str) -> bool | None:
        """A boolean."""
        value: bool | None = self._take(key, bool)
        return value

    def texts(self, key: str, most: int) -> list[str]:
        """An array of strings; empty if it is left out."""
        return self._array(key, str, most) or []

    def integers(self, key: str, most: int) -> list[int] | None:
        """An array of whole numbers."""
        return self._array(key, int, most)

    def arrays(self, key: str, most: int) -> list[list[Any]]:
        """An array of arrays of anything; empty if it is left out."""
        found: list[list[Any]] | None = self._array(key, list, most)
        return found or []

    def fields(self, key: str) -> Fields | None:
        """An object within this one."""
        value = self._take(key, dict)
        return None if value is None else Fields(value, f"{self.name(key)}.")

    def required(self, reader: Callable[[str], T | None], key: str) -> T:
        """A field that must be there, as one of the other readers reads it."""
        value = reader(key)
        if value is None:
            raise invalid(self.name(key), "is missing")
        return value

    def has(self, key: str) -> bool:
        """Whether the field is there, and be it null."""
        return key in self._left

    def is_object(self, key: str) -> bool:
        """Whether the field is an object."""
        return isinstance(self._left.get(key), dict)

    def is_text(self, key: str) -> bool:
        """Whether the field is a string."""
        return isinstance(self._left.get(key), str)

    def discard(self, key: str) -> None:
        """Take a field of any type, and do nothing with it."""
        self._left.pop(key, None)

    def finish(self) -> None:
        """Refuse the fields that nobody took: a misspelt one must not pass for obeyed."""
        for key in self._left:
            shown = self.name(key[:80])
            raise invalid(shown, "is not known here")

    def _take(self, key: str, *types: type) -> Any:
        value = self._left.pop(key, None)
        # JSON's booleans are no numbers, though Python's are.
        if value is not None and type(value) not in types:
            raise invalid(self.name(key), f"must be {_KINDS[types[0]]}, and it is {_kind(value)}")
        return value

    def _array(self, key: str, of: type[T], most: int) -> list[T] | None:
        values: list[Any] | None = self._take(key, list)
        if values is None:
            return None
        if len(values) > most:
            raise invalid(self.name(key), f"has {len(values)} elements; {most} is the most")
        for index, value in enumerate(values):
            if type(value) is not of:
                raise invalid(
                    f"{self.name(key)}[{index}]", f"must be {_KINDS[of]}, and it is {_kind(value)}"
                )
        return values
