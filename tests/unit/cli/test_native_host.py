from __future__ import annotations

import json
from pathlib import Path

import pytest

from millstream.cli import main
from millstream.cli.exit_codes import CommandError
from millstream.cli.native_host import read_link


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))

    def run(*arguments):
        try:
            code = main(["native-host", *arguments])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


def test_installing_and_taking_it_back(run):
    code, out, _ = run(
        "install",
        "--browser",
        "firefox",
        "--extension-id",
        "a@b",
        "--json",
        "--allow-origin",
        "https://app.example",
    )
    [event] = map(json.loads, out.splitlines())
    assert (code, event["event"], event["browser"]) == (0, "installed", "firefox")
    program = json.loads(Path(event["path"]).read_bytes())["path"]
    assert "--allow-origin=https://app.example" in Path(program).read_text()
    code, out, _ = run("uninstall", "--json")
    assert (code, json.loads(out)["event"]) == (0, "uninstalled")
    code, out, _ = run("uninstall", "--json")
    assert (code, json.loads(out)["event"]) == (0, "nothing")


@pytest.mark.parametrize(
    "arguments",
    [
        ["install", "--extension-id", "*"],
        ["install", "--name", "../x"],
        ["install", "--browser", "lynx"],
        ["install", "--allow-origin", "app.example"],
        ["install", "--allow-origin", "https://app.example/x"],
        ["--allow-origin", "https://"],
        ["uninstall", "--name", ""],
        ["open"],
    ],
)
def test_what_makes_no_sense(run, tmp_path, arguments):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err
    assert list(tmp_path.iterdir()) == []


def test_a_link_and_a_file_to_hand_over(tmp_path):
    assert read_link("MAGNET:?x") == ("/add-magnet", {"magnet": "MAGNET:?x"})
    (tmp_path / "a.torrent").write_bytes(b"de")
    body = {"file_name": "a.torrent", "contents_base64": "ZGU="}
    assert read_link(str(tmp_path / "a.torrent")) == ("/add-torrent", body)
    (tmp_path / "a.torrent").write_bytes(bytes(700_000))
    with pytest.raises(CommandError, match="675000"):
        read_link(str(tmp_path / "a.torrent"))


def test_no_browser_to_hand_it_to(run, monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    code, _, err = run("open", "magnet:?xt=urn:btih:x")
    assert (code, "no browser" in err) == (6, True)
    assert run("open", "/nonexistent")[0] == 5
