from __future__ import annotations

from types import SimpleNamespace

import pytest

from millstream.cli import main
from millstream.cli.rpc import tell_port


def test_the_port_is_the_first_line(capsys):
    tell_port(SimpleNamespace(port=6868))
    assert capsys.readouterr().out == "RPC_PORT=6868\n"


@pytest.mark.parametrize("port", ["70000", "-1", "x"])
def test_a_wrong_port_in_the_environment_is_said(capsys, monkeypatch, port):
    monkeypatch.setenv("PORT", port)
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as caught:
        main(["rpc"])
    assert caught.value.code == 2
    assert "PORT" in capsys.readouterr().err
