from __future__ import annotations

import dataclasses
import math
import re

import pytest

from millstream.core.limit_schedule import LimitSchedule
from millstream.engine.config import EngineConfig
from millstream.errors import ConfigError
from millstream.settings.catalogue import Kind, all_sections, all_settings, build

BY_KEY = {setting.key: setting for setting in all_settings()}
BOUNDED = [setting for setting in all_settings() if math.isfinite(setting.low)]
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20}


def test_every_field_of_every_dataclass_is_a_setting():
    wanted = {"seed"}
    for field in dataclasses.fields(EngineConfig):
        value = getattr(EngineConfig(), field.name)
        if dataclasses.is_dataclass(value):
            wanted |= {f"{field.name}.{inner.name}" for inner in dataclasses.fields(value)}
    wanted.remove("limits.schedule")
    wanted |= {f"limits.schedule.{inner.name}" for inner in dataclasses.fields(LimitSchedule)}
    assert wanted == BY_KEY.keys()


@pytest.mark.parametrize("setting", all_settings(), ids=lambda setting: setting.key)
def test_every_setting_is_documented_and_has_its_default(setting):
    assert setting.meaning
    assert setting.expected
    if setting.path[:2] != ("limits", "schedule"):
        assert setting.of(EngineConfig()) == setting.default


def test_every_table_is_documented():
    assert all(section.meaning for section in all_sections())


def test_names_are_one_to_one():
    assert len({setting.variable for setting in all_settings()}) == len(all_settings())
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
        ("limits", "schedule", "begin"): 0,
        ("limits", "schedule", "end"): 0,
    }
    others = fill if setting.path[:2] == ("limits", "schedule") else {}
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
    assert expected["limits.upload"] == 'a whole number, 1024 or more, or "none"'
    assert expected["disk.allocation"] == '"sparse" or "full"'
    assert expected["swarm.pex"] == "true or false"
    assert expected["network.listen_hosts"] == "a list of texts"


def test_nothing_given_is_the_default():
    assert build({}) == EngineConfig()


def test_a_table_that_is_none_by_default_is_made_when_its_settings_are_given():
    begin, end = ("limits", "schedule", "begin"), ("limits", "schedule", "end")
    config = build({begin: 60, end: 120})
    assert config.limits.schedule == LimitSchedule(begin=60, end=120)
    with pytest.raises(ConfigError, match=r"limits\.schedule lacks end"):
        build({begin: 60})
