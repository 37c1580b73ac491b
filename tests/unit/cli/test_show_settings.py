from __future__ import annotations

import json

import pytest

from millstream.cli import main
from millstream.settings.catalogue import all_settings
from millstream.settings.document import example


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "my.toml"
    path.write_text("[network]\nlisten_port = 6881\n[limits.schedule]\nbegin = 0\nend = 9\n")
    monkeypatch.setenv("MILLSTREAM_CONFIG", str(path))
    monkeypatch.setenv("MILLSTREAM_LIMITS_UPLOAD", "5000")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    return path


def printed(capsys, *arguments):
    try:
        code = main(["settings", *arguments])
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out


def failed(capsys, *arguments):
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return code, err.strip()


def test_all_settings_with_their_values_and_who_set_them(capsys, file):
    out = printed(capsys)
    assert all(setting.key in out for setting in all_settings())
    assert f"File  {file}\n" in out
    assert f"network.listen_port = 6881\n  from {file}; the default is 0\n" in out
    assert (
        'limits.upload = 5000\n  from MILLSTREAM_LIMITS_UPLOAD; the default is "none"\n'
        '  of all torrents together. Range: a whole number, 1024 or more, or a text such as "500'
    ) in out
    assert f"limits.schedule.begin = 0\n  from {file}\n" in out


def test_some_settings(capsys, file):
    out = printed(capsys, "limits", "network.listen_port")
    assert "limits.schedule.begin" in out
    assert "network.listen_port" in out
    assert "network.listen_hosts" not in out


def test_no_file_and_a_table_that_is_not_set(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    out = printed(capsys, "limits.schedule")
    assert "(there is none)" in out.splitlines()[0] + out.splitlines()[1]
    assert "limits.schedule.begin is not set\n" in out


def test_json(capsys, file):
    found = json.loads(printed(capsys, "--json"))
    assert (found["event"], found["path"], found["exists"]) == ("settings", str(file), True)
    by_name = {each["name"]: each for each in found["settings"]}
    assert by_name.keys() == {setting.key for setting in all_settings()}
    meaning = by_name["network.listen_port"].pop("meaning")
    assert meaning.startswith("1 to 65535;")
    assert by_name["network.listen_port"] == {
        "name": "network.listen_port",
        "value": 6881,
        "default": 0,
        "source": str(file),
        "variable": "MILLSTREAM_NETWORK_LISTEN_PORT",
        "type": "whole",
        "unit": None,
        "optional": True,
        "minimum": 0,
        "maximum": 65535,
        "choices": None,
        "range": 'a whole number, 0 to 65535, or "none"',
    }
    assert by_name["encryption.policy"]["choices"] == ["prefer", "require", "disable"]
    assert by_name["limits.schedule.days"]["value"] == [0, 1, 2, 3, 4, 5, 6]


def test_the_path_and_the_example_need_no_right_settings(capsys, file):
    file.write_text("nonsense")
    assert printed(capsys, "--path") == f"{file}\n"
    assert printed(capsys, "--example") == example()


@pytest.mark.parametrize(
    "command", [["settings"], ["download", "x.torrent"], ["seed", "x.torrent"], ["peers", "x"]]
)
def test_wrong_settings_are_2_and_one_sentence(capsys, file, command):
    file.write_text("[network]\nlisten_port = 70000\n")
    code, err = failed(capsys, *command)
    assert code == 2
    assert err == (
        f"millstream: {file}: network.listen_port is 70000; "
        'it must be a whole number, 0 to 65535, or "none"'
    )


def test_a_name_that_is_no_setting_is_2(capsys):
    code, err = failed(capsys, "settings", "nonsense")
    assert code == 2
    assert "nonsense is no setting" in err


def test_a_file_that_is_not_there_is_5(capsys, file):
    file.unlink()
    assert failed(capsys, "settings")[0] == 5


def test_watch_folders_have_their_names_and_secrets_are_hidden(capsys, file):
    with file.open("a") as opened:
        opened.write('[watch.films]\nfolder = "/films"\n[webhooks]\nsecret = "hush"\n')
    out = printed(capsys, "watch", "webhooks")
    assert 'watch.films.folder = "/films"\n' in out
    assert "watch.*" not in out
    assert "webhooks.secret = (hidden)\n" in out
    found = json.loads(printed(capsys, "webhooks.secret", "watch.films.interval", "--json"))
    interval, secret = found["settings"]
    assert (secret["value"], interval["variable"], interval["unit"]) == (
        *("(hidden)", None, "duration"),
    )
