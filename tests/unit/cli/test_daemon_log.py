import logging

import pytest

from millstream.cli.daemon_log import DaemonLog
from millstream.service.config import LogConfig


@pytest.fixture
def shown(capsys, monkeypatch):
    """What reaches stderr of a debug line, an info line of `peer`, and a warning."""
    root = logging.getLogger("millstream")
    monkeypatch.setattr(root, "level", logging.DEBUG)

    def show(log):
        with log.in_force():
            logging.getLogger("millstream.disk").debug("detail")
            logging.getLogger("millstream.peer").info("news")
            logging.getLogger("millstream.store").warning("trouble")
        logging.getLogger("millstream.store").warning("after the end")
        told = capsys.readouterr().err
        assert "after the end" not in told
        return [word for word in ("detail", "news", "trouble") if word in told]

    return show


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (LogConfig(), ["trouble"]),
        (LogConfig(components=("peer=info",)), ["news", "trouble"]),
        (LogConfig(level="debug"), ["detail", "news", "trouble"]),
    ],
)
def test_trouble_is_shown_and_what_the_settings_ask_for(shown, config, words):
    assert shown(DaemonLog(logging.WARNING, config)) == words


def test_quiet_shows_errors_alone(shown):
    assert shown(DaemonLog(logging.ERROR, LogConfig())) == []


def test_it_follows_the_settings(shown):
    log = DaemonLog(logging.WARNING, LogConfig())
    log.follow(LogConfig(level="debug"))
    assert shown(log) == ["detail", "news", "trouble"]
    log.follow(LogConfig())
    assert shown(log) == ["trouble"]
