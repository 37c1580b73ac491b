from __future__ import annotations

import json
from pathlib import Path

import pytest

from millstream.cli import main
from millstream.cli.demo import Measured


def run(*arguments):
    try:
        return main(["demo", *arguments])
    except SystemExit as end:
        return end.code


@pytest.fixture(autouse=True)
def _temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.slow
def test_all_of_it(capsys, tmp_path):
    assert run("--size", "3MiB", "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    steps = [event["event"] for event in events if event["event"] != "progress"]
    assert steps == [
        "file_made",
        "torrent_made",
        "seeder_ready",
        "downloaded",
        "compared",
        "complete",
    ]
    assert events[-1]["total_length"] == 3 << 20
    assert events[-1]["average_rate"] > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_keep(capsys, tmp_path):
    assert run("--size", "100000", "--keep") == 0
    (directory,) = tmp_path.iterdir()
    assert capsys.readouterr().out.splitlines()[-1] == f"  the files are in {directory}"
    copies = [path.read_bytes() for path in Path(directory).rglob("demo.bin")]
    assert len(copies) == 2
    assert len(copies[0]) == 100_000
    assert copies[0] == copies[1]


def test_too_large_for_the_disk_is_a_storage_error(capsys, tmp_path):
    assert run("--size", "900TiB") == 5
    assert "the demo needs 1.76 PiB; give a smaller --size" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_rate():
    assert Measured(100, 0.5).rate == 200
    assert Measured(100, 0.0).rate == 0
