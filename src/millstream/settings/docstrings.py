"""What a class's docstring says of its attributes."""

from __future__ import annotations

import inspect
import re

_ATTRIBUTE = re.compile(r"    (?P<name>\w+): (?P<text>.*)")
# A full stop ends the sentence only before a space: "Range 0.1 to 60." is one.
_RANGE = re.compile(r" ?\bRange (?P<words>\S.*?)\.(?=\s|$)")


def summary(described: type) -> str:
    """All of the docstring before its attributes, on one line. Empty under `python -OO`."""
    text, _, _ = (inspect.getdoc(described) or "").partition("Attributes:\n")
    return " ".join(text.split())


def attributes(described: type) -> dict[str, str]:
    """The name and the words of each attribute of a Google docstring, each on one line."""
    _, _, text = (inspect.getdoc(described) or "").partition("Attributes:\n")
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        match = _ATTRIBUTE.fullmatch(line)
        if match:
            lines = found.setdefault(match["name"], [match["text"]])
        elif line.startswith("        "):
            lines.append(line)
        elif line:
            break  # the next section
    return {name: " ".join(" ".join(parts).split()) for name, parts in found.items()}


def split_range(text: str) -> tuple[str, str]:
    """An attribute's words without the sentence on its range, and that: ("...", "1 to 300")."""
    match = _RANGE.search(text)
    if match is None:
        return text, ""
    return (text[: match.start()] + text[match.end() :]).strip(), match["words"]
