"""Checking settings against their documented ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from millstream.errors import ConfigError

Ranges = Mapping[str, tuple[float, float]]
"""The least and the most of each setting that is a number; infinity for no bound."""


def check_ranges(section: str, config: Any, ranges: Ranges) -> None:
    """Raise ConfigError, with name, value and range, for the first setting that is out of its range.

    Args:
        section: what the settings are called together, `swarm` for one.
        config: the dataclass that has them. A setting whose default may be None may be None.
        ranges: of its fields.
    """
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        if value is None and "None" in str(config.__dataclass_fields__[name].type):
            continue
        if not low <= value <= high:
            bounds = f"{low} or more" if high == math.inf else f"{low} to {high}"
            raise ConfigError(f"{section}.{name} is {value}; it must be {bounds}")
