from __future__ import annotations

from millstream.cli.display import Silent, open_display
from millstream.cli.json_lines import JsonLines
from millstream.cli.plain import PlainLines

from .shown import snapshot


def test_plain_where_stdout_is_no_terminal(monkeypatch, capsys):
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(variable, raising=False)
    assert isinstance(open_display(), PlainLines)


def test_as_asked_for(capsys):
    assert isinstance(open_display(json=True), JsonLines)
    assert isinstance(open_display(quiet=True), Silent)


def test_silence(capsys):
    with open_display(quiet=True) as display:
        display.event("complete", "done", good=True, x=1)
        display.note("x")
        display.transfer(snapshot())
        display.peers(snapshot())
        display.swarms({})
        display.count("Hashing", "x", 1, 2)
    assert capsys.readouterr() == ("", "")
