"""The fuzz targets, each with so many examples, the same every time; `make fuzz` goes on and on."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
runner = importlib.import_module("fuzz.runner")
target_module = importlib.import_module("fuzz.target")
TARGETS = importlib.import_module("fuzz.targets").TARGETS

EXAMPLES = 150

# What meets the network or comes from a disk, and thus has a target.
EXPECTED = {
    *("bencode", "metainfo", "magnet", "handshake", "compact"),
    *("extension", "ut_metadata", "ut_pex", "lt_donthave"),
    *("wire", "peer", "metadata_peer"),
    *("mse_initiator", "mse_acceptor", "greeting"),
    *("http_response", "udp_response", "http_request", "udp_request", "tracker_url"),
    "content_range",
    *("roots_record", "resume_state", "resume_peers", "goals"),
    *("placement_record", "partial_pieces"),
    *("io_frames", "io_writes", "io_spans", "io_results", "io_messages", "io_paths"),
    *("native_messages", "profiles"),
    *("http_answer", "http_url"),
}


def test_every_parser_has_its_target():
    assert set(TARGETS) == EXPECTED


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_nothing_is_found(name):
    runner.run_examples(TARGETS[name], EXAMPLES)


def test_a_bug_is_found_and_told_with_its_smallest_input():
    def run(data: bytes) -> None:
        if len(data) > 1:
            raise ZeroDivisionError

    target = target_module.Target("broken", "for this test", run)
    with pytest.raises(runner.FoundError) as raised:
        runner.run_examples(target, 100)
    assert raised.value.data == b"\0\0"
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_seconds_are_counted():
    now = iter([0.0, 0.0, 1.0, 2.0])
    target = target_module.Target("fine", "for this test", len)
    assert runner.run_seconds(target, 1.5, clock=lambda: next(now)) == 2 * runner.BATCH


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fuzz", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_line(tmp_path):
    listed = fuzz("--list")
    assert listed.returncode == 0
    assert {line.split()[0] for line in listed.stdout.splitlines()} == EXPECTED
    assert fuzz("no_such_target").returncode == 2
    run = fuzz("lt_donthave", "--seconds", "0.01")
    assert run.returncode == 0
    assert "nothing found" in run.stdout
    found = tmp_path / "found.bin"
    found.write_bytes(b"\0\0\0\1")
    assert fuzz("lt_donthave", "--replay", str(found)).returncode == 0
