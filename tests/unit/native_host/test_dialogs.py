from __future__ import annotations

import pytest

from millstream.native_host.dialogs import START_VARIABLE, chosen_folder, folder_dialog


def finder(*names):
    return lambda name: f"/usr/bin/{name}" if name in names else None


def test_the_first_that_is_there_is_taken():
    command = folder_dialog("linux", "/home/me", finder("kdialog", "zenity"))
    assert command.arguments[:3] == ("/usr/bin/zenity", "--file-selection", "--directory")
    assert command.arguments[-1] == "--filename=/home/me/"
    assert folder_dialog("linux", "/", finder("qarma")).arguments[-1] == "--filename=/"
    command = folder_dialog("linux", "/home/me", finder("kdialog"))
    assert command.arguments[-2:] == ("--getexistingdirectory", "/home/me")
    assert folder_dialog("linux", "/home/me", finder()) is None


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_no_name_of_a_folder_is_read_as_a_program(platform):
    command = folder_dialog(platform, '"; evil', finder())
    assert not [word for word in command.arguments if "evil" in word]
    assert command.environment == {START_VARIABLE: '"; evil'}


@pytest.mark.parametrize(
    ("code", "output", "chosen"),
    [
        (0, b"/srv/a b\n", "/srv/a b"),
        (0, "/srv/é\r\n".encode(), "/srv/é"),
        (0, b"/srv/\xff\n", "/srv/\udcff"),
        (1, b"", None),
        (1, b"/srv\n", None),
        (0, b"\n", None),
    ],
)
def test_what_was_chosen(code, output, chosen):
    assert chosen_folder(code, output) == chosen
