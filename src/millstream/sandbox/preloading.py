"""Having at hand whatever will be needed once no file can be opened any more."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Iterable
from contextlib import suppress

# What the standard library imports only when it is used for the first time.
_MODULES = (
    "concurrent.futures.thread",
    *("encodings.ascii", "encodings.idna", "encodings.latin_1", "encodings.utf_8_sig"),
    *("linecache", "tokenize", "traceback"),
)


def preload(names: Iterable[str]) -> None:
    """Import these with all modules in them, and what the standard library imports late.

    Args:
        names: of packages and modules, such as `millstream.engine`.
    """
    for name in _MODULES:
        importlib.import_module(name)
    for name in names:
        module = importlib.import_module(name)
        for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{name}."):
            # What cannot be imported on this system cannot be needed on it.
            if not found.name.endswith(".__main__"):
                with suppress(ImportError):
                    importlib.import_module(found.name)
    # It reads /etc/localtime once.
    time.localtime()
