from __future__ import annotations

import re
from pathlib import Path

from millstream.core.limit_schedule import LimitSchedule
from millstream.engine.config import EngineConfig
from millstream.settings.catalogue import all_settings
from millstream.settings.document import example, markdown
from millstream.settings.loading import load_settings

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_example_sets_nothing(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(example(), encoding="utf-8")
    assert load_settings(path, {}) == EngineConfig()


def test_every_line_of_the_example_can_be_uncommented(tmp_path):
    path = tmp_path / "settings.toml"
    text, count = re.subn(r"^# (\w+ = )", r"\1", example(), flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")
    config = load_settings(path, {})
    assert count == len(all_settings())
    assert config.limits.schedule == LimitSchedule(begin=0, end=0)
    for setting in all_settings():
        assert setting.needed or setting.of(config) == setting.default


def test_the_page_is_current():
    current = PAGE.read_text(encoding="utf-8") == markdown()
    assert current, "run `python -m millstream.settings.document > docs/settings.md`"


def test_the_page_has_every_setting():
    assert all(f"| `{setting.path[-1]}` |" in markdown() for setting in all_settings())
