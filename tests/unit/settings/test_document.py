from __future__ import annotations

import re
from pathlib import Path

from millstream.core.limit_schedule import LimitSchedule
from millstream.service.config import WatchConfig
from millstream.settings.catalogue import ANY, UserSettings, all_settings
from millstream.settings.document import example, markdown
from millstream.settings.loading import load

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_example_sets_nothing(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(example(), encoding="utf-8")
    assert load(path, {}).settings == UserSettings()


def test_every_line_of_the_example_can_be_uncommented(tmp_path):
    path = tmp_path / "settings.toml"
    text, count = re.subn(r"^# (\w+ = |\[)", r"\1", example(), flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")
    settings = load(path, {}).settings
    assert count == len(all_settings()) + len(["# [watch.NAME]"])
    assert settings.engine.limits.schedule == LimitSchedule(begin=0, end=0)
    assert settings.service.watch == {"NAME": WatchConfig(folder="/srv/torrents")}
    for setting in all_settings():
        if not setting.needed and ANY not in setting.path:
            assert setting.of(settings) == setting.default


def test_the_page_is_current():
    current = PAGE.read_text(encoding="utf-8") == markdown()
    assert current, "run `python -m millstream.settings.document > docs/settings.md`"


def test_the_page_has_every_setting():
    assert all(f"| `{setting.path[-1]}` |" in markdown() for setting in all_settings())
