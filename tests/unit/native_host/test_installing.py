from __future__ import annotations

import json
import os
import stat

import pytest

from millstream.errors import ConfigError
from millstream.native_host.installing import Installation
from millstream.native_host.manifest import DEFAULT_EXTENSIONS, Browser

ALL = list(Browser)


@pytest.fixture
def installation(tmp_path):
    return Installation("a.b", tmp_path, {}, "linux")


def install(installation, extensions=DEFAULT_EXTENSIONS, **options):
    return installation.install(ALL, extensions, python="/py", arguments=["native-host"], **options)


def test_a_manifest_for_each_browser_with_such_an_extension(installation):
    written = install(installation, [*DEFAULT_EXTENSIONS, "a@example.org"])
    assert set(written) == set(Browser)
    firefox = json.loads(written[Browser.FIREFOX].read_bytes())
    assert firefox["allowed_extensions"] == ["a@example.org"]
    chrome = json.loads(written[Browser.CHROME].read_bytes())
    assert len(chrome["allowed_origins"]) == 2
    assert chrome["path"] == str(installation.launcher_path())
    assert os.access(chrome["path"], os.X_OK)
    assert stat.S_IMODE(written[Browser.CHROME].stat().st_mode) == 0o644
    assert not [
        path for path in installation.launcher_path().parent.iterdir() if path.name[0] == "."
    ]


def test_installed_again_it_is_replaced(installation):
    install(installation)
    written = install(installation, ["b" * 32])
    assert set(written) == {Browser.CHROME, Browser.CHROMIUM}
    assert "b" * 32 in written[Browser.CHROME].read_text()


@pytest.mark.parametrize("text", ["{}", "no json", '{"description": "another"}'])
def test_another_programs_stays_unless_it_is_to_go(installation, text):
    path = installation.path(Browser.CHROMIUM)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ConfigError, match="--replace"):
        install(installation)
    assert not installation.launcher_path().exists()
    assert not installation.path(Browser.CHROME).exists()
    assert installation.uninstall(ALL) == {}
    assert path.exists()
    install(installation, replace=True)
    assert len(installation.uninstall(ALL)) == 2


def test_nothing_is_written_for_no_browser(installation, tmp_path):
    with pytest.raises(ConfigError, match="none of these"):
        installation.install([Browser.FIREFOX], DEFAULT_EXTENSIONS, python="/py")
    with pytest.raises(ConfigError, match="no extension's id"):
        install(installation, ["*"])
    assert list(tmp_path.iterdir()) == []


def test_the_launcher_goes_with_the_last_manifest(installation):
    install(installation)
    installation.uninstall([Browser.CHROME])
    assert installation.launcher_path().exists()
    assert list(installation.uninstall(ALL)) == [Browser.CHROMIUM]
    assert not installation.launcher_path().exists()
    assert installation.uninstall(ALL) == {}


def test_a_name_that_is_none(tmp_path):
    with pytest.raises(ConfigError):
        Installation("../x", tmp_path, {})
