"""Docstrings as help."""

from __future__ import annotations

import inspect
from collections.abc import Callable


def paragraphs(command: Callable[..., None]) -> str:
    """The docstring with one line per paragraph: the terminal's width breaks it, not ours."""
    text = inspect.getdoc(command) or ""
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in text.split("\n\n"))
