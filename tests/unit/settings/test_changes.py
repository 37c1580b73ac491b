from __future__ import annotations

from millstream.settings.catalogue import UserSettings, all_sections, build
from millstream.settings.changes import RUNNING, Changes, changes


def test_what_changed_and_from_when_on_it_holds():
    before = build(
        {
            ("limits", "upload"): 5000,
            ("network", "listen_port"): 1,
            ("watch", "a", "folder"): "/a",
            ("disk", "workers"): 2,
        }
    )
    after = build(
        {
            ("limits", "upload"): 6000,
            ("limits", "schedule", "begin"): 0,
            ("limits", "schedule", "end"): 5,
            ("network", "listen_port"): 2,
            ("watch", "b", "folder"): "/a",
            ("disk", "workers"): 2,
        }
    )
    found = changes(before, after)
    assert found.at_restart == ("network.listen_port",)
    assert set(found.in_force) >= {
        *("limits.upload", "limits.schedule.begin", "watch.a.folder", "watch.b.folder"),
    }
    assert found


def test_nothing_changed():
    found = changes(UserSettings(), build({}))
    assert found == Changes()
    assert not found


def test_the_tables_that_change_while_it_runs_are_there():
    there = {section.path[0] for section in all_sections() if section.path}
    assert there >= RUNNING
