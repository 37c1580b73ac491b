"""One argument of a script, in which `{name}` and the like stand for what happened."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from millstream.errors import ConfigError
from millstream.service.occasion import PLACEHOLDERS

# Characters of one placeholder's text. Linux refuses arguments of more than 128 KiB
# (MAX_ARG_STRLEN), and a character has up to four bytes.
MAX_WORD = 16_384

_FIELD = re.compile(r"\{\{|\}\}|\{(\w*)\}|[{}]")


def check_template(setting: str, argument: str) -> None:
    """Raise ConfigError, with the setting's name, for an argument that cannot be filled in."""
    if "\0" in argument:
        raise ConfigError(f"{setting} has a NUL in {argument!r}")
    for match in _FIELD.finditer(argument):
        if match[0] in {"{{", "}}"}:
            continue
        if match[1] not in PLACEHOLDERS:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ConfigError(
                f"{setting} has {match[0]!r} in {argument!r}; it must be one of {known}, "
                "or {{ and }} for braces"
            )


def fill(argument: str, words: Mapping[str, str]) -> str:
    """The argument with its placeholders replaced; what a word contains is never looked at."""

    def replaced(match: re.Match[str]) -> str:
        name = match[1]
        return match[0][0] if name is None else as_argument(words[name])

    return _FIELD.sub(replaced, argument)


def as_argument(word: str) -> str:
    """A word that the system takes as an argument or a variable: without NUL, and not endless.

    What is no Unicode becomes `?`, but for bytes of a path that were none, which stay as they were.
    """
    word = word[:MAX_WORD].replace("\0", "\N{REPLACEMENT CHARACTER}")
    try:
        os.fsencode(word)
    except UnicodeEncodeError:
        return word.encode("utf-8", "replace").decode("utf-8")
    return word
