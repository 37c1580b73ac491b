from __future__ import annotations

import dataclasses
import math
import re

import pytest

from millstream.core.limit_schedule import LimitSchedule
from millstream.engine.config import EngineConfig
from millstream.errors import ConfigError
from millstream.service.config import ServiceConfig, WatchConfig
from millstream.settings.catalogue import (
    ANY,
    Kind,
    UserSettings,
    all_sections,
    all_settings,
    build,
    find_section,
    find_setting,
    is_named,
    sections_of,
)

BY_KEY = {setting.key: setting for setting in all_settings()}
BOUNDED = [setting for setting in all_settings() if math.isfinite(setting.low)]
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20}


def test_every_field_of_every_dataclass_is_a_setting():
    wanted = {"seed"}
    for config in (EngineConfig(), ServiceConfig()):
        for field in dataclasses.fields(config):
            value = getattr(config, field.name)
            if dataclasses.is_dataclass(value):
                wanted |= {f"{field.name}.{inner.name}" for inner in dataclasses.fields(value)}
    wanted |= {f"watch.*.{inner.name}" for inner in dataclasses.fields(WatchConfig)}
    wanted.remove("limits.schedule")
    wanted |= {f"limits.schedule.{inner.name}" for inner in dataclasses.fields(LimitSchedule)}
    assert wanted == BY_KEY.keys()


@pytest.mark.parametrize("setting", all_settings(), ids=lambda setting: setting.key)
def test_every_setting_is_documented_and_has_its_default(setting):
    assert setting.meaning
    assert setting.expected
    if setting.path[:2] != ("limits", "schedule") and ANY not in setting.path:
        assert setting.of(UserSettings()) == setting.default


def test_every_table_is_documented():
    assert all(section.meaning for section in all_sections())


def test_names_are_one_to_one():
    named = [setting for setting in all_settings() if ANY in setting.path]
    assert {setting.variable for setting in named} == {""}
    others = {setting.variable for setting in all_settings()} - {""}
    assert len(others) == len(all_settings()) - len(named)
    assert BY_KEY["network.listen_port"].variable == "MILLSTREAM_NETWORK_LISTEN_PORT"


@pytest.mark.parametrize("setting", BOUNDED, ids=lambda setting: setting.key)
def test_the_dataclass_keeps_the_range_that_is_shown(setting):
    if setting.kind is Kind.WHOLES:
        ends = [frozenset({int(setting.low)}), frozenset({int(setting.high)})]
        beyond = [frozenset({int(setting.low) - 1}), frozenset({int(setting.high) + 1})]
    else:
        made = int if setting.kind is Kind.WHOLE else float
        ends = [made(end) for end in (setting.low, setting.high) if math.isfinite(end)]
        beyond = [setting.low - 1, *([setting.high + 1] if math.isfinite(setting.high) else [])]
    fill = {
        "limits": {("limits", "schedule", "begin"): 0, ("limits", "schedule", "end"): 0},
        "watch": {("watch", ANY, "folder"): "/watched"},
    }
    others = fill.get(setting.path[0], {})
    for value in ends:
        assert setting.of(build({**others, setting.path: value})) == value
    for value in beyond:
        with pytest.raises(ConfigError, match=re.escape(setting.key)):
            build({**others, setting.path: value})


@pytest.mark.parametrize(
    "setting",
    [setting for setting in all_settings() if setting.documented_range],
    ids=lambda setting: setting.key,
)
def test_the_docstring_names_the_range_that_is_kept(setting):
    numbers = [
        float(number) * UNITS.get(unit, 1)
        for number, unit in re.findall(r"([\d.]+)(?: (KiB|MiB))?", setting.documented_range)
    ]
    assert numbers[0] == setting.low
    if " to " in setting.documented_range:
        assert numbers[1] == setting.high


def test_what_is_expected_is_said_in_words():
    expected = {key: setting.expected for key, setting in BY_KEY.items()}
    assert expected["network.listen_port"] == 'a whole number, 0 to 65535, or "none"'
    assert (
        expected["limits.upload"]
        == 'a whole number, 1024 or more, or a text such as "500 KiB", or "none"'
    )
    assert expected["disk.allocation"] == '"sparse" or "full"'
    assert expected["swarm.pex"] == "true or false"
    assert expected["network.listen_hosts"] == "a list of texts"


def test_nothing_given_is_the_default():
    assert build({}) == UserSettings()


def test_a_table_that_is_none_by_default_is_made_when_its_settings_are_given():
    begin, end = ("limits", "schedule", "begin"), ("limits", "schedule", "end")
    config = build({begin: 60, end: 120})
    assert config.engine.limits.schedule == LimitSchedule(begin=60, end=120)
    with pytest.raises(ConfigError, match=r"limits\.schedule lacks end"):
        build({begin: 60})


FILMS = ("watch", "films")


def test_tables_that_the_user_names():
    settings = build({(*FILMS, "folder"): "/films", ("watch", "music", "folder"): "/music"})
    assert settings.service.watch == {
        "films": WatchConfig(folder="/films"),
        "music": WatchConfig(folder="/music"),
    }
    names = [section.name for section in sections_of(settings)]
    assert [name for name in names if name.startswith("watch")] == [
        *("watch", "watch.films", "watch.music")
    ]
    assert "watch.*" in [section.name for section in sections_of(UserSettings())]
    found = find_setting((*FILMS, "folder"))
    assert (found.key, found.of(settings)) == ("watch.films.folder", "/films")
    assert find_setting(FILMS) is None
    assert find_section(FILMS).settings[0].key == "watch.films.folder"
    assert find_section(("films",)) is None
    assert is_named(("watch",))
    assert not is_named(("limits",))


def test_what_is_wrong_in_such_a_table_is_named_with_the_users_name():
    with pytest.raises(ConfigError, match=r"^watch\.films lacks folder$"):
        build({(*FILMS, "paused"): True})
    with pytest.raises(ConfigError, match=r"^watch\.films\.folder is 'x'; it must be an absolute"):
        build({(*FILMS, "folder"): "x"})
    with pytest.raises(ConfigError, match=r"^watch\.films\.save_path and watch\.films\.root "):
        build({(*FILMS, "folder"): "/x", (*FILMS, "save_path"): "/y", (*FILMS, "root"): "z"})
    with pytest.raises(ConfigError, match=r"^watch\.music\.folder is that of watch\.films, too$"):
        build({(*FILMS, "folder"): "/x", ("watch", "music", "folder"): "/x/"})


def test_the_secret_is_one():
    assert [setting.key for setting in all_settings() if setting.is_secret] == ["webhooks.secret"]
