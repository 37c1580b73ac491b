"""Names out of a hostile torrent made into names a file system takes.

The rules are those of libtorrent, so that files fetched by one client are found by the other. What
could leave the root, hide what a name is, or not be stored at all is changed everywhere. What only
Windows cannot store, `a:b` or `CON` or `Dr.`, is a good name elsewhere and stays one there:
changing it would lose the files that other clients stored under it.
"""

from __future__ import annotations

import re
import sys
import unicodedata

# Bytes of UTF-8. ext4, APFS, NTFS and most others allow 255 bytes or characters.
MAX_COMPONENT_LENGTH = 255

# Where longer names are cut before their extension is put back, and how long an extension may be,
# its dot included, to be put back: both libtorrent's.
_CUT_LENGTH = 240
_MAX_EXTENSION_LENGTH = 10

# What an empty name becomes, and each character that cannot be kept.
_SUBSTITUTE = "_"

ON_WINDOWS = sys.platform == "win32"

# Separators of any system, and the characters that change the direction of writing: behind one of
# these, the program "cod.exe" is shown as the document "exe.doc". They vanish.
_DROPPED = re.compile(r"[/\\\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

# Control characters, NUL among them, and halves of surrogate pairs, which have no UTF-8.
_REPLACED = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

# A drive, alone or before an absolute path, also if it only becomes one when characters vanish;
# "a: b" is none.
_DRIVE = re.compile(r"\A(@*[A-Za-z]@*):(?=@|\Z)".replace("@", _DROPPED.pattern))

_WINDOWS_REPLACED = re.compile(r'[<>:"|?*]')
_WINDOWS_DEVICE = re.compile(
    r"(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9\xb9\xb2\xb3]) *(\.|$)", re.IGNORECASE
)


def safe_component(name: str, *, windows: bool = ON_WINDOWS) -> str:
    """Make one part of a path out of any text.

    Args:
        name: what the torrent says.
        windows: whether also what Windows reserves is changed: `<>:"|?*`, device names, and dots
            and spaces at the end.

    Returns:
        A name that is not empty, not `.` or `..`, holds no separator and no control character, and
        takes at most 255 bytes of UTF-8.
    """
    if drive := _DRIVE.match(name):
        name = drive[1] + _SUBSTITUTE + name[drive.end() :]
    name = _REPLACED.sub(_SUBSTITUTE, _DROPPED.sub("", name))
    if windows:
        name = _WINDOWS_REPLACED.sub(_SUBSTITUTE, name)
    name = _shorten(name)
    if windows:
        # After the cut, which may end in a dot or a space.
        name = name.rstrip(". ")
        if _WINDOWS_DEVICE.match(name):
            name = (_SUBSTITUTE + _cut(name, MAX_COMPONENT_LENGTH - 1)).rstrip(". ")
    return _SUBSTITUTE if name in {"", ".", ".."} else name


def numbered(name: str, number: int) -> str:
    """Put a number before the extension of a safe name: `a.txt` becomes `a.1.txt`.

    The stem is cut so that the result takes at most 255 bytes, and in the same way for any number
    of up to nine digits.
    """
    stem, extension = split_extension(name)
    return f"{stem}.{number}{extension}"


def split_extension(name: str) -> tuple[str, str]:
    """Split a safe name at its last dot, the stem cut to leave room for ten bytes between.

    A tail that takes over a hundred bytes is no extension.
    """
    stem, dot, tail = name.rpartition(".")
    extension = dot + tail
    if not dot or len(extension.encode()) > 100:
        stem, extension = name, ""
    room = MAX_COMPONENT_LENGTH - len(extension.encode()) - 10
    return _cut(stem, room), extension


def collision_key(path: str) -> str:
    """Give two paths the same key if some file system takes them for the same file.

    Case and Unicode composition are levelled (the canonical caseless match of the Unicode standard,
    section 3.13): Windows and macOS ignore the one, macOS the other.
    """
    if path.isascii():
        return path.lower()
    folded = unicodedata.normalize("NFD", path).casefold()
    return unicodedata.normalize("NFD", folded)


def _shorten(name: str) -> str:
    if len(name) <= MAX_COMPONENT_LENGTH and len(name.encode()) <= MAX_COMPONENT_LENGTH:
        return name
    stem, dot, tail = name.rpartition(".")
    extension = dot + tail
    if not stem or not dot or len(extension.encode()) > _MAX_EXTENSION_LENGTH:
        stem, extension = name, ""
    return _cut(stem, _CUT_LENGTH) + extension


def _cut(text: str, max_length: int) -> str:
    """Cut to a length in bytes of UTF-8, never inside a character."""
    return text.encode()[:max_length].decode("utf-8", "ignore")
