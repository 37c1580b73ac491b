"""Dialogs in which a user chooses a folder: programs of the desktop, and what they answer. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

TITLE = "Choose a folder for downloads"

# Text goes to these two by the environment: nothing of it can be taken for their language.
START_VARIABLE = "MILLSTREAM_DIALOG_START"
_APPLESCRIPT = (
    f'POSIX path of (choose folder with prompt "{TITLE}" default location '
    f'(POSIX file (system attribute "{START_VARIABLE}")))'
)
_POWERSHELL = (
    "Add-Type -AssemblyName System.Windows.Forms;"
    "[Console]::OutputEncoding = [Text.Encoding]::UTF8;"
    "$d = New-Object System.Windows.Forms.FolderBrowserDialog;"
    f"$d.Description = '{TITLE}'; $d.SelectedPath = $env:{START_VARIABLE};"
    "if ($d.ShowDialog() -ne 'OK') { exit 1 }; [Console]::Write($d.SelectedPath)"
)


class DialogCommand(NamedTuple):
    """A program that asks the user.

    Attributes:
        arguments: the program first.
        environment: besides what it inherits.
    """

    arguments: tuple[str, ...]
    environment: dict[str, str]


def folder_dialog(
    platform: str, start: str, find: Callable[[str], str | None]
) -> DialogCommand | None:
    """The program that asks for a folder; None if there is none.

    Args:
        platform: `sys.platform`.
        start: the folder to begin at, absolute.
        find: says where a program is: `shutil.which`.
    """
    environment = {START_VARIABLE: start}
    if platform == "darwin":
        return DialogCommand(("/usr/bin/osascript", "-e", _APPLESCRIPT), environment)
    if platform == "win32":
        arguments = ("powershell", "-NoProfile", "-STA", "-Command", _POWERSHELL)
        return DialogCommand(arguments, environment)
    for name in ("zenity", "qarma", "kdialog"):
        program = find(name)
        if program is None:
            continue
        if name == "kdialog":
            arguments = (program, "--title", TITLE, "--getexistingdirectory", start)
        else:
            # With a slash at its end it is where to begin; without, what is chosen.
            inside = f"--filename={start.rstrip('/')}/"
            arguments = (program, "--file-selection", "--directory", f"--title={TITLE}", inside)
        return DialogCommand(arguments, environment)
    return None


def chosen_folder(code: int, output: bytes) -> str | None:
    """What was chosen, by the program's exit code and output; None if nothing was."""
    text = output.decode("utf-8", "surrogateescape").rstrip("\r\n")
    return text if code == 0 and text else None
