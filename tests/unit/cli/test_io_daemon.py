from __future__ import annotations

from types import SimpleNamespace

import pytest

from millstream.cli import main
from millstream.cli.exit_codes import CommandError
from millstream.cli.io_daemon import io_daemon_config, tell_port
from millstream.storage.roots import StorageRoot

TOKEN = "0123456789" * 2
OPTIONS = {
    "token": TOKEN,
    "host": "127.0.0.1",
    "port": 0,
    "unix_socket": None,
    "roots": (),
    "rpc_info": None,
    "install_id": "",
    "origins": (),
    "allow_host": (),
    "parent_pid": None,
}


def test_the_port_is_the_first_line(capsys):
    tell_port(SimpleNamespace(port=7800))
    assert capsys.readouterr().out == "7800\n"


def test_the_options_become_settings():
    config = io_daemon_config(**OPTIONS | {"roots": ["f=Films:/srv/films"], "install_id": "i"})
    assert config.roots == (StorageRoot("f", "Films", "/srv/films"),)
    assert (config.token, config.install_id) == (TOKEN, "i")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"token": None}, "--token-file"),
        ({"token": "short"}, "--token"),
        ({"host": "x"}, "--host"),
        ({"host": None}, "--unix-socket"),
        ({"roots": ["films"]}, "TOKEN=LABEL:PATH"),
        ({"roots": ["f=a:/a", "f=b:/b"]}, "two roots"),
        ({"origins": ["app.example"]}, "--allow-origin"),
    ],
)
def test_options_that_do_not_fit(changes, told):
    with pytest.raises(CommandError, match=told) as caught:
        io_daemon_config(**OPTIONS | changes)
    assert caught.value.code == 2


def test_there_is_no_way_to_say_the_token_to_everybody(capsys, monkeypatch):
    monkeypatch.delenv("MILLSTREAM_TOKEN", raising=False)
    with pytest.raises(SystemExit) as caught:
        main(["io-daemon", "--token", TOKEN])
    assert caught.value.code == 2
