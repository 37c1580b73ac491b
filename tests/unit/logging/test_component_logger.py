from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

import millstream.logging
from millstream.logging import COMPONENTS, ComponentLogger, component_logger
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash

INFO_HASH = InfoHash(bytes(range(20)))
PEER = PeerAddress("192.0.2.7", 6881)


class Costly:
    """Counts how often it is turned into text."""

    def __init__(self) -> None:
        self.asked = 0

    def __str__(self) -> str:
        self.asked += 1
        return "text"


@pytest.fixture
def heard(caplog):
    caplog.set_level(logging.DEBUG, "millstream.peer")
    return caplog


def test_a_record_says_of_whom_it_is(heard):
    component_logger("peer", torrent=INFO_HASH).bind(peer=PEER).debug("gone: %s", "because")
    [record] = heard.records
    assert record.name == "millstream.peer"
    assert record.getMessage() == "gone: because"
    assert (record.component, record.torrent, record.peer) == (
        "peer",
        INFO_HASH.hex(),
        "192.0.2.7:6881",
    )
    assert record.pathname == __file__, "the line that logged, and no line of ours"


def test_nothing_is_bound_at_first(heard):
    log = component_logger("peer")
    log.info("hello", extra={"more": 1})
    [record] = heard.records
    assert (record.component, record.torrent, record.peer, record.more) == ("peer", None, None, 1)


def test_binding_adds_and_leaves_the_first_as_it_was():
    first = component_logger("peer", torrent=INFO_HASH)
    second = first.bind(peer=PEER)
    assert isinstance(second, ComponentLogger)
    assert (first.torrent, first.peer) == (INFO_HASH, None)
    assert (second.torrent, second.peer) == (INFO_HASH, PEER)
    other = InfoHash(bytes(20))
    assert second.bind(torrent=other).torrent == other


def test_what_nobody_hears_is_never_made_text(caplog):
    caplog.set_level(logging.INFO, "millstream.peer")
    torrent, peer, argument = Costly(), Costly(), Costly()
    log = component_logger("peer", torrent=torrent).bind(peer=peer)
    log.debug("%s", argument)
    assert caplog.records == []
    assert torrent.asked == peer.asked == argument.asked == 0
    assert not log.isEnabledFor(logging.DEBUG)


def test_importing_it_sets_nothing_up():
    program = """
import json, logging
def state():
    return {name: [logger.level, len(logger.handlers), logger.propagate, len(logger.filters)]
        for name, logger in [("root", logging.root), *logging.root.manager.loggerDict.items()]
        if isinstance(logger, logging.Logger) and (name == "root" or name.startswith("millstream"))}
import millstream.logging, millstream.engine.engine, millstream.adapters.native
print(json.dumps(state()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    state = json.loads(done.stdout)
    assert state.pop("root") == [logging.WARNING, 0, True, 0]
    assert state
    assert all(each == [logging.NOTSET, 0, True, 0] for each in state.values()), state


def test_what_is_public_is_there_and_documented():
    for name in millstream.logging.__all__:
        value = getattr(millstream.logging, name)
        assert value is COMPONENTS or value.__doc__
    assert logging.__name__ == "logging"
    assert hasattr(logging, "basicConfig"), "the standard library's is not shadowed"
