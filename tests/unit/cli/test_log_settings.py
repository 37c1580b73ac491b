from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest
import typer

from millstream.cli import main
from millstream.cli.log_settings import LogSettings
from millstream.errors import StorageError
from millstream.logging.component_logger import component_logger

DEBUG, INFO, WARNING = logging.DEBUG, logging.INFO, logging.WARNING


def read(*levels, debug=False, file=None, as_json=False):
    return LogSettings.read(debug=debug, levels=levels, file=file, as_json=as_json)


def state():
    root, ours = logging.getLogger(), logging.getLogger("millstream")
    peer = logging.getLogger("millstream.peer")
    return root.level, list(root.handlers), ours.level, list(ours.handlers), peer.level


def test_nothing_is_logged_unless_it_is_asked_for():
    assert read().level is None
    assert read(debug=True) == LogSettings(DEBUG, {}, everything=True)
    assert read("info").level == INFO
    assert read("peer=debug") == LogSettings(WARNING, {"peer": DEBUG})
    assert read("error", "peer=debug", "disk=INFO") == LogSettings(
        logging.ERROR, {"peer": DEBUG, "disk": INFO}
    )
    assert read(as_json=True).level == INFO
    assert read("warning", debug=True).level == WARNING


def test_a_file_is_for_what_happens(tmp_path):
    file = tmp_path / "log"
    assert read(file=file) == LogSettings(INFO, {}, file=file)
    assert read("debug", file=file).level == DEBUG


@pytest.mark.parametrize(
    "text", ["", "loud", "peer=", "peer=loud", "pear=info", "=info", "a=b=info"]
)
def test_what_is_no_level_is_refused(text):
    with pytest.raises(typer.BadParameter):
        read(text)


def test_everything_is_as_before_afterwards(tmp_path):
    before = state()
    for settings in (
        read(),
        read("peer=debug", "info"),
        read(debug=True),
        read(file=tmp_path / "log"),
    ):
        with settings.in_force():
            assert state() != before
        assert state() == before


def test_a_file_is_appended_to(tmp_path):
    file = tmp_path / "log"
    file.write_text("before\n", encoding="utf-8")
    with read("peer=debug", file=file).in_force():
        component_logger("peer", peer="h:1").debug("gone")
        component_logger("torrent").debug("not of interest")
        component_logger("torrent").info("complete")
        logging.getLogger("asyncio").info("not ours")
    before, first, second = file.read_text(encoding="utf-8").splitlines()
    assert before == "before"
    assert first.endswith(" DEBUG   peer     [h:1] gone")
    assert second.endswith(" INFO    torrent  complete")


def test_json_lines(tmp_path):
    file = tmp_path / "log"
    with read(file=file, as_json=True).in_force():
        component_logger("peer", peer="h:1").info("banned")
    [line] = file.read_text(encoding="utf-8").splitlines()
    found = json.loads(line)
    del found["time"]
    assert found == {"level": "INFO", "component": "peer", "peer": "h:1", "message": "banned"}


def test_stderr(capsys):
    with read("peer=info").in_force():
        component_logger("peer").info("banned")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(" INFO    peer     banned\n")


def test_a_file_that_cannot_be_written(tmp_path):
    settings = read(file=tmp_path / "missing" / "log")
    before = state()
    with pytest.raises(StorageError, match="missing"), settings.in_force():
        pass
    assert state() == before


def run(capsys, *arguments):
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()


def test_the_program_says_what_is_wrong(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("MILLSTREAM_DEBUG", raising=False)
    code, out, err = run(capsys, "--log-level", "pear=info", "info", "x.torrent")
    assert (code, out) == (2, "")
    assert "no component" in err
    code, out, err = run(capsys, "--log-file", str(tmp_path / "no" / "log"), "info", "x.torrent")
    assert (code, out) == (5, "")
    assert err.startswith("millstream: ")
    assert err.count("\n") == 1


def test_the_program_logs_to_its_file(tmp_path):
    file = tmp_path / "log"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "millstream", "--log-file", str(file), "--log-json"),
            *("--log-level", "peer=debug", "--log-level", "info", "demo", "--size", "1M"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    told = {(entry["component"], entry["message"].partition(":")[0]) for entry in entries}
    assert ("peer", "connected") in told
    assert ("torrent", "complete") in told
    assert ("torrent", "seeding, was downloading") in told
    assert all("torrent" in entry for entry in entries if entry["component"] == "torrent")
