"""`millstream settings`: what can be set, to what it is set, and by whom."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.formatting import safe_text
from millstream.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.text import Text

    from millstream.cli.display import JsonValue
    from millstream.settings.catalogue import Setting
    from millstream.settings.loading import LoadedSettings

MAX_WIDTH = 100

EPILOG = (
    "[bold]Example[/bold]\n"
    "  millstream settings limits\n"
    "  millstream settings --example > settings.toml\n"
    "  MILLSTREAM_CONFIG=settings.toml MILLSTREAM_NETWORK_LISTEN_PORT=6881 millstream settings"
)


def settings(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Show these settings or groups only, such as network or limits.upload.",
            show_default=False,
        ),
    ] = None,
    *,
    path: Annotated[
        bool, typer.Option("--path", help="Print where the settings file is, and nothing else.")
    ] = False,
    example: Annotated[
        bool,
        typer.Option("--example", help="Print a settings file with all settings commented out."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show every setting: its value, who set it, its range and what it means.

    Settings come from a TOML file in the user's configuration directory, from environment variables
    over it, and from a command's options over both. A setting's variable is its name in capitals:
    network.listen_port is MILLSTREAM_NETWORK_LISTEN_PORT. MILLSTREAM_CONFIG names another file.

    With `--json` it is one object on one line.
    """
    if path:
        typer.echo(_settings_path())
        return
    if example:
        from millstream.settings.document import example as example_text

        typer.echo(example_text(), nl=False)
        return
    if json:
        from millstream.cli.json_lines import JsonLines

        with JsonLines(sys.stdout) as lines:
            loaded, chosen = _load(names)
            lines.write(
                "settings",
                {
                    "path": str(loaded.path),
                    "exists": loaded.path.exists(),
                    "settings": [facts(setting, loaded) for setting in chosen],
                },
            )
        return
    from rich.console import Console

    loaded, chosen = _load(names)
    show(Console(highlight=False), loaded, chosen)


COMMAND = settings


def facts(setting: Setting, loaded: LoadedSettings) -> dict[str, JsonValue]:
    """The keys of a setting in `settings --json`.

    `minimum` and `maximum` are null where there is none; `choices` unless it is one of a few;
    `unit` is "size" (bytes), "rate" (bytes a second), "duration" (seconds) or null.
    """
    from millstream.settings.values import HIDDEN, plain

    choices = setting.choices
    value = setting.of(loaded.settings)
    return {
        "name": setting.key,
        "value": HIDDEN if setting.is_secret and value else cast("JsonValue", plain(value)),
        "default": cast("JsonValue", plain(setting.default)),
        "source": loaded.source_of(setting),
        "variable": setting.variable or None,
        "type": setting.kind.name.lower(),
        "unit": None if setting.unit is None else setting.unit.name.lower(),
        "optional": setting.optional,
        "minimum": setting.low if math.isfinite(setting.low) else None,
        "maximum": setting.high if math.isfinite(setting.high) else None,
        "choices": None if choices is None else [str(choice.value) for choice in choices],
        "range": setting.range_words,
        "meaning": setting.meaning,
    }


def show(console: Console, loaded: LoadedSettings, chosen: list[Setting]) -> None:
    """Print the settings, by groups."""
    from rich.text import Text

    from millstream.settings.catalogue import sections_of

    there = "" if loaded.path.exists() else " (there is none)"
    console.print(
        Text.assemble(("File  ", "bold"), safe_text(str(loaded.path)), (there, "dim")),
        soft_wrap=True,
    )
    wanted = {setting.path for setting in chosen}
    for section in sections_of(loaded.settings):
        inside = [setting for setting in section.settings if setting.path in wanted]
        if inside and section.path:
            console.print()
            console.print(Text(f"[{section.name}]", "bold cyan"))
            console.print(Text(section.meaning, "dim"), width=min(console.width, MAX_WIDTH))
        for setting in inside:
            console.print()
            for line in _lines(setting, loaded):
                console.print(line, soft_wrap=True)
            words = f"{setting.meaning} Range: {setting.range_words}."
            _print_indented(console, words)


def _lines(setting: Setting, loaded: LoadedSettings) -> Iterator[Text]:
    from rich.text import Text

    from millstream.settings.values import HIDDEN, to_toml

    raw = setting.of(loaded.settings)
    # None of a setting that cannot be None: its whole table is not there.
    is_set = raw is not None or setting.optional
    written = HIDDEN if setting.is_secret and raw else safe_text(to_toml(raw))
    value = f" = {written}" if is_set else " is not set"
    yield Text.assemble((setting.key, "bold"), value)
    source = safe_text(loaded.source_of(setting))
    if setting.path in loaded.given:
        default = "" if setting.needed else f"; the default is {to_toml(setting.default)}"
        yield Text(f"  from {source}{default}", "green")


def _print_indented(console: Console, words: str) -> None:
    import textwrap

    from rich.text import Text

    width = max(min(console.width, MAX_WIDTH), 20)
    for line in textwrap.wrap(words, width, initial_indent="  ", subsequent_indent="  "):
        console.print(Text(line, "dim"), soft_wrap=True)


def _settings_path() -> Path:
    import os

    from millstream.settings.sources import settings_path

    return settings_path(os.environ)


def _load(names: list[str] | None) -> tuple[LoadedSettings, list[Setting]]:
    from millstream.settings.catalogue import sections_of
    from millstream.settings.loading import load

    loaded = load()
    sections = sections_of(loaded.settings)
    chosen = [setting for section in sections for setting in section.settings]
    if names:
        for name in names:
            if not any(_is_of(setting, name) for setting in chosen):
                raise CommandError(
                    f"{name} is no setting; `millstream settings` lists all", ExitCode.USAGE
                )
        chosen = [each for each in chosen if any(_is_of(each, name) for name in names)]
    return loaded, chosen


def _is_of(setting: Setting, name: str) -> bool:
    return setting.key == name or setting.key.startswith(f"{name}.")
