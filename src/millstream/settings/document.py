"""The documentation of all settings: an example of the file, and a page of Markdown.

`python -m millstream.settings.document > docs/settings.md` writes that page again.
"""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Iterator

from millstream.settings.catalogue import ANY, Setting, all_sections
from millstream.settings.sources import PATH_VARIABLE
from millstream.settings.values import default_words, to_toml

WIDTH = 100

_HEAD = f"""\
# Settings

Made from the dataclasses of `EngineConfig` and `ServiceConfig` by `python -m millstream.settings.document`; a test
keeps it current. `millstream settings` shows the same with the values in force.

Settings come from a TOML file, from environment variables over it, and from a command's options
over both. The file is `millstream/settings.toml` in the user's configuration directory
(`$XDG_CONFIG_HOME`, or `~/.config`; on macOS `~/Library/Application Support`), or what
`{PATH_VARIABLE}` names. `millstream settings --path` says where it is, and
`millstream settings --example` prints one in which every setting is commented out.

```toml
[network]
listen_port = 6881

[limits]
upload = 500_000
```

The variable of a setting is its name in capitals, with `MILLSTREAM` before it:
`MILLSTREAM_NETWORK_LISTEN_PORT=6881`. Truths are `true` or `false`, lists have commas between their
items, and an empty variable counts as none. `"none"` stands for None, which TOML lacks, where a
setting has it. Tables that you name, `[watch.NAME]`, have no variables.

Sizes, rates and times are numbers of bytes, bytes a second and seconds, or texts: `"64 KiB"`, `"2M"`
(binary, as `2 MiB`), `"1.5 GB"` (decimal), `"500 KiB/s"`, `"90 s"`, `"2h"`, `"1h 30min"`, `"30 days"`.

A daemon reads its settings again at SIGHUP (docs/service.md): `[limits]`, `[queue]`, `[goals]`,
`[log]`, `[watch.*]`, `[hooks]` and `[webhooks]` change while it runs, all others at its next start.

A key that is no setting, and a value of the wrong type or out of range, is an error (exit code 2)
that names the file or variable, the key, the value and the range.
"""


def example() -> str:
    """A settings file in which every setting is commented out."""
    parts = ["# Millstream's settings. All are commented out: these are the defaults."]
    for section in all_sections():
        if section.path and not section.settings:
            continue
        header = f"[{section.name}]"
        if ANY in section.path:
            # A table that is there must be whole.
            header = f"# {header.replace(ANY, 'NAME')}"
        lines = [header, *_comment(section.meaning)] if section.path else []
        for setting in section.settings:
            lines += ["", *_comment(f"{_sentence(setting.meaning)} Range: {setting.range_words}.")]
            lines.append(f"# {setting.path[-1]} = {_sample(setting)}")
        parts.append("\n".join(lines).strip())
    return "\n\n".join(parts) + "\n"


def markdown() -> str:
    """The page docs/settings.md."""
    return "\n".join([_HEAD, *_tables()])


def _tables() -> Iterator[str]:
    for section in all_sections():
        if not section.settings:
            continue
        yield f"## {f'[{section.name}]' if section.path else 'The top of the file'}\n"
        if section.path:
            yield f"{section.meaning}\n"
        yield "| Setting | Default | Range | Meaning |"
        yield "| --- | --- | --- | --- |"
        for setting in section.settings:
            default = "" if setting.needed else f"`{default_words(setting)}`"
            cells = (
                f"`{setting.path[-1]}`",
                default,
                setting.range_words,
                _sentence(setting.meaning),
            )
            yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
        yield ""


def _sample(setting: Setting) -> str:
    """What the example has: the default, or for what has none the least value, or a path."""
    if not setting.needed:
        return default_words(setting)
    return to_toml(int(setting.low) if math.isfinite(setting.low) else "/srv/torrents")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


if __name__ == "__main__":
    sys.stdout.write(markdown())
