from __future__ import annotations

import logging

import pytest

from millstream.service.config import LogConfig
from millstream.service.log_levels import LogLevels

ALL, PEER = logging.getLogger("millstream"), logging.getLogger("millstream.peer")


@pytest.fixture(autouse=True)
def _levels():
    before = ALL.level, PEER.level
    ALL.setLevel(logging.INFO)
    PEER.setLevel(logging.NOTSET)
    yield
    ALL.setLevel(before[0])
    PEER.setLevel(before[1])


def test_levels_come_and_go():
    levels = LogLevels()
    levels.apply(LogConfig(level="warning", components=("peer=debug",)))
    assert (ALL.level, PEER.level) == (logging.WARNING, logging.DEBUG)
    levels.apply(LogConfig(level="error"))
    assert (ALL.level, PEER.level) == (logging.ERROR, logging.NOTSET)
    levels.restore()
    assert (ALL.level, PEER.level) == (logging.INFO, logging.NOTSET)


def test_the_command_line_goes_over_them():
    levels = LogLevels({None, "peer"})
    levels.apply(LogConfig(level="warning", components=("peer=debug", "disk=error")))
    assert (ALL.level, PEER.level) == (logging.INFO, logging.NOTSET)
    assert logging.getLogger("millstream.disk").level == logging.ERROR
    levels.restore()
    assert logging.getLogger("millstream.disk").level == logging.NOTSET
