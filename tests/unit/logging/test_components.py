from __future__ import annotations

import logging

import pytest

from millstream.errors import ConfigError
from millstream.logging.components import (
    COMPONENTS,
    get_levels,
    logger_name,
    parse_level,
    set_level,
)


@pytest.fixture(autouse=True)
def _levels_are_restored():
    names = ["millstream", *map(logger_name, COMPONENTS)]
    before = {name: logging.getLogger(name).level for name in names}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("text", ["debug", "DEBUG", "Debug", 10])
def test_a_level_is_read(text):
    assert parse_level(text) == logging.DEBUG


@pytest.mark.parametrize("text", ["warn", "WARNING"])
def test_a_warning_has_two_names(text):
    assert parse_level(text) == logging.WARNING


@pytest.mark.parametrize("text", ["", "loud", "NOTSET", "10", "debug "])
def test_no_level(text):
    with pytest.raises(ConfigError, match=r"is no log level; these are: debug, info, warning"):
        parse_level(text)


def test_a_component_has_its_own_level_and_the_others_that_of_all():
    set_level("error")
    set_level("debug", "peer")
    levels = get_levels()
    assert levels.keys() == COMPONENTS.keys()
    assert levels.pop("peer") == "DEBUG"
    assert set(levels.values()) == {"ERROR"}
    assert logging.getLogger("millstream.peer").isEnabledFor(logging.DEBUG)
    set_level(None, "peer")
    assert get_levels()["peer"] == "ERROR"


def test_no_component():
    with pytest.raises(ConfigError, match="'pear' is no log component; these are: engine"):
        set_level("debug", "pear")
