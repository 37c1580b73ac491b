from __future__ import annotations

import subprocess
import sys

import pytest

from millstream.cli import main
from millstream.cli.app import COMMANDS
from millstream.cli.exit_codes import MEANINGS


def run(capsys, *arguments):
    """The exit code, stdout and stderr of a command."""
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()


@pytest.fixture(autouse=True)
def _narrow_and_plain(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    for variable in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS", "MILLSTREAM_DEBUG"):
        monkeypatch.delenv(variable, raising=False)


def test_help_explains_every_exit_code(capsys):
    code, out, err = run(capsys, "--help")
    assert (code, err) == (0, "")
    for number, meaning in MEANINGS.items():
        assert f"{number.value:>3}  {meaning}" in out
    for command in COMMANDS:
        assert f" {command} " in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(capsys, command):
    code, out, _ = run(capsys, command, "-h")
    assert code == 0
    assert "Example" in out
    assert f"millstream {command}" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["download"],
        ["download", "x.torrent", "--peer", "nowhere"],
        ["download", "x.torrent", "--port", "70000"],
        ["download", "x.torrent", "--select", "0"],
        ["download", "x.torrent", "--select", ""],
        ["download", "x.torrent", "--encryption", "perhaps"],
        ["download", "x.torrent", "--tracker", "tracker.example"],
        ["download", "x.torrent", "--limit-down", "fast"],
        ["download", "magnet:?dn=x", "--limit-up", "1"],
        ["seed", "x.torrent", "--tracker", "wss://tracker.example"],
        ["peers"],
        ["create", "x", "--piece-length", "big"],
        ["create", "x", "--piece-length", "1000"],
        ["create", "x", "--piece-length", "3MiB"],
        ["create", "x", "--piece-length", "1GiB"],
        ["create", "x", "--tracker", "tracker.example"],
        ["demo", "--size", "0"],
        ["scrape"],
        ["scrape", "udp://tracker.example:80"],
        ["scrape", "udp://tracker.example:80", "abc"],
        ["tracker", "--port", "70000"],
        ["tracker", "--interval", "0"],
        ["tracker", "--no-http", "--no-udp"],
        ["tracker", "--allow", "abc"],
    ],
)
def test_wrong_usage_is_2(capsys, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command", ["download", "seed", "peers", "info", "magnet", "verify", "scrape"]
)
@pytest.mark.parametrize("data", [b"", b"hello", b"de", b"d4:infodee", b"\x1b[2J"])
def test_a_malformed_torrent_is_2_and_one_sentence(capsys, tmp_path, monkeypatch, command, data):
    torrent = tmp_path / "x.torrent"
    torrent.write_bytes(data)
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, command, "x.torrent")
    assert (code, out) == (2, "")
    assert err.startswith("millstream: x.torrent")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [torrent]


@pytest.mark.parametrize("command", ["download", "peers", "info", "scrape"])
@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("magnet:?dn=x", "the magnet link has no infohash (xt=urn:btih:...)"),
        ("magnet:x", "a magnet link begins with magnet:?"),
        (f"magnet:?xt=urn:btmh:1220{'0' * 64}", "version 2 only (BEP 52)"),
    ],
)
def test_a_wrong_magnet_link_is_2_and_one_sentence(capsys, command, link, words):
    code, out, err = run(capsys, command, link)
    assert (code, out) == (2, "")
    assert err.startswith("millstream: ")
    assert words in err
    assert err.count("\n") == 1


def test_version_needs_neither_typer_nor_rich_nor_asyncio():
    program = (
        "import sys; from millstream.cli import main; code = main(['--version']);"
        "assert not {'typer', 'rich', 'asyncio', 'hashlib'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("millstream ")


def test_version_also_among_other_options(capsys):
    code, out, _ = run(capsys, "--debug", "--version")
    assert code == 0
    assert out.startswith("millstream ")


def test_a_command_imports_no_other():
    program = (
        "import sys; from millstream.cli import main\n"
        "try: main(['list', '--daemon', ''])\n"
        "except SystemExit: pass\n"
        "assert not {'aiohttp', 'millstream.cli.demo', 'millstream.engine.engine'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
