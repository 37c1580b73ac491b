"""What is another in one reading of the settings than in the reading before."""

from __future__ import annotations

from dataclasses import dataclass

from millstream.settings.catalogue import Names, UserSettings, sections_of

# Tables whose settings change while a daemon runs.
RUNNING = frozenset({"limits", "queue", "goals", "log", "watch", "hooks", "webhooks"})


@dataclass(frozen=True, slots=True)
class Changes:
    """The settings that changed, by their keys, in the order of the catalogue.

    Attributes:
        in_force: those that hold from now on.
        at_restart: those that hold from the daemon's next start on.
    """

    in_force: tuple[str, ...] = ()
    at_restart: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.in_force or self.at_restart)


def changes(before: UserSettings, after: UserSettings) -> Changes:
    """Compare two readings."""
    paths: dict[Names, None] = {}
    for settings in (before, after):
        for section in sections_of(settings):
            paths.update({setting.path: None for setting in section.settings})
    values_before, values_after = _values(before), _values(after)
    changed = [path for path in paths if values_before.get(path) != values_after.get(path)]
    return Changes(
        tuple([".".join(path) for path in changed if path[0] in RUNNING]),
        tuple([".".join(path) for path in changed if path[0] not in RUNNING]),
    )


def _values(settings: UserSettings) -> dict[Names, object]:
    return {
        setting.path: setting.of(settings)
        for section in sections_of(settings)
        for setting in section.settings
    }
