"""What Millstream tells of its work, over the standard library's `logging`.

Nothing is set up by importing this: no handler, no level. A program hears Millstream as it hears any
library, by the logger `millstream` and one child for each of `COMPONENTS`: `millstream.peer` says why
a peer was dropped, `millstream.torrent` why a torrent is not moving.

```python
import logging
from millstream.logging import HumanFormatter, RingBufferLogger, set_level

handler = logging.StreamHandler()
handler.setFormatter(HumanFormatter())  # or JsonLinesFormatter()
recent = RingBufferLogger(capacity=500)  # for a user interface
for each in (handler, recent):
    logging.getLogger("millstream").addHandler(each)
set_level("INFO")
set_level("DEBUG", "peer")
...
recent.snapshot(level="WARNING", torrent=torrent.info_hash)
```

Every record has the attributes `component`, `torrent` (the infohash in hex, or None) and `peer`
(`host:port`, or None), for filters and formatters of the program's own. What a message quotes of the
network is as hostile as anything from there; the two formatters make it harmless.

Levels: ERROR, a torrent stopped and needs its user; WARNING, something was lost or set aside; INFO,
what a torrent does and why it does nothing, bans, trackers that fail; DEBUG, every connection and
every announce. Nothing is logged for a block or a message, at any level.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from millstream.logging.component_logger import ComponentLogger, component_logger
from millstream.logging.components import COMPONENTS, get_levels, parse_level, set_level

if TYPE_CHECKING:
    from millstream.logging.entry import LogEntry as LogEntry
    from millstream.logging.human_formatter import HumanFormatter as HumanFormatter
    from millstream.logging.json_formatter import JsonLinesFormatter as JsonLinesFormatter
    from millstream.logging.ring_buffer import RingBufferLogger as RingBufferLogger

# Every module that logs imports this package; who listens is up to the program, and most listen in
# ways of their own. So listeners are imported when first named, as the engine is in `millstream`.
_HOMES = {
    "HumanFormatter": "millstream.logging.human_formatter",
    "JsonLinesFormatter": "millstream.logging.json_formatter",
    "LogEntry": "millstream.logging.entry",
    "RingBufferLogger": "millstream.logging.ring_buffer",
}

__all__ = [
    "COMPONENTS",
    "ComponentLogger",
    "HumanFormatter",
    "JsonLinesFormatter",
    "LogEntry",
    "RingBufferLogger",
    "component_logger",
    "get_levels",
    "parse_level",
    "set_level",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
