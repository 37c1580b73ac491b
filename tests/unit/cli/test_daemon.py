from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from millstream.cli import main
from millstream.cli.daemon import (
    log_of,
    made_session_path,
    read_settings,
    tell_start,
)
from millstream.cli.daemon_log import DaemonLog
from millstream.cli.display import Silent
from millstream.cli.log_settings import LogSettings
from millstream.rpc.config import ControlConfig
from millstream.service.config import LogConfig


def test_the_directory_of_the_session_is_made(tmp_path):
    path = made_session_path({"XDG_STATE_HOME": str(tmp_path)})
    assert path == tmp_path / "millstream" / "session.db"
    assert path.parent.stat().st_mode & 0o077 == 0


def test_says_where_it_is():
    told = []

    class Recording(Silent):
        def event(self, name, sentence="", /, *, good=None, **facts):
            told.append((name, sentence, facts))

    engine = SimpleNamespace(torrents=[1], listen_port=6881)
    server = SimpleNamespace(
        control=SimpleNamespace(engine=engine), url="http://127.0.0.1:6868", port=6868
    )
    tell_start(Recording(), server)
    ((name, sentence, facts),) = told
    assert name == "daemon"
    assert sentence.startswith("Controlled at http://127.0.0.1:6868, peers at port 6881, 1 torrent")
    assert facts == {
        "url": "http://127.0.0.1:6868",
        "port": 6868,
        "peer_port": 6881,
        "torrents": 1,
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--host", "192.0.2.1", "--no-session"), "--token-file must be given"),
        (("--session", "x", "--no-session"), "--no-session"),
        (("--port", "70000"), "--port"),
    ],
)
def test_wrong_usage(capsys, monkeypatch, arguments, words):
    monkeypatch.delenv("MILLSTREAM_TOKEN", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    try:
        code = main(["daemon", *arguments])
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert words in capsys.readouterr().err


def test_options_go_over_the_settings(tmp_path, monkeypatch):
    file = tmp_path / "settings.toml"
    file.write_text('[network]\nlisten_port = 1\n[webhooks]\ntimeout = "3s"\n')
    monkeypatch.setenv("MILLSTREAM_CONFIG", str(file))
    assert read_settings(None).engine.network.listen_port == 1
    settings = read_settings(2)
    assert (settings.engine.network.listen_port, settings.service.webhooks.timeout) == (2, 3.0)


@pytest.mark.parametrize(("option", "handlers"), [(None, 1), (logging.INFO, 0)])
def test_it_logs_unless_the_options_say_how(option, handlers):
    log = logging.getLogger("millstream")
    before = len(log.handlers)
    with log_of(DaemonLog(logging.WARNING, LogConfig()), LogSettings(level=option)):
        assert len(log.handlers) == before + handlers
    assert len(log.handlers) == before


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """What the server would be begun with, for a settings file and arguments."""
    configs = []

    async def serve(config, *_, **__):
        configs.append(config)

    def begin(settings, *arguments):
        file = tmp_path / "settings.toml"
        file.write_text(settings)
        with pytest.raises(SystemExit) as end:
            main(["daemon", "--quiet", *arguments])
        assert end.value.code == 0
        return configs.pop()

    monkeypatch.setattr("millstream.cli.daemon.serve", serve)
    monkeypatch.setenv("MILLSTREAM_CONFIG", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("MILLSTREAM_TOKEN", raising=False)
    return begin


def test_without_settings_it_is_where_clients_look(begun, tmp_path):
    assert begun("") == ControlConfig(
        save_path=Path(), session=tmp_path / "state" / "millstream" / "session.db"
    )


def test_its_place_is_in_the_settings_and_options_go_over_them(begun, tmp_path):
    settings = f"""
    [daemon]
    host = "0.0.0.0"
    port = 7000
    token_file = "{tmp_path}/token"
    allow_hosts = ["box"]
    output = "{tmp_path}/films"
    session = "{tmp_path}/s.db"
    """
    config = begun(settings)
    token = (tmp_path / "token").read_text().strip()
    assert config == ControlConfig(
        host="0.0.0.0",  # noqa: S104 - nothing is bound
        port=7000,
        token=token,
        allowed_hosts=("box",),
        save_path=tmp_path / "films",
        session=tmp_path / "s.db",
    )
    options = ("--host", "127.0.0.1", "--port", "0", "-o", "x", "--no-session", "--allow-host", "y")
    config = begun(settings, *options)
    assert config == ControlConfig(
        port=0, token=token, allowed_hosts=("y",), save_path=Path("x"), session=None
    )
