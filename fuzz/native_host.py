"""Targets for what a browser sends to its native host, and for the file that the host keeps."""

from __future__ import annotations

from contextlib import suppress

from millstream.errors import ConfigError
from millstream.native_host.framing import BrokenFrameError, FrameReader, encode_message
from millstream.native_host.operations import BadRequestError, read_request
from millstream.native_host.profiles import read_profiles, roots_of, updated, write_profiles

from .target import Target


def fuzz_native_messages(data: bytes) -> None:
    """Messages, and each of them a request or refused; or no frame."""
    with suppress(BrokenFrameError):
        for message in FrameReader().receive_data(data):
            with suppress(BadRequestError):
                read_request(message)


def fuzz_profiles(data: bytes) -> None:
    """Profiles that are written back as they were read; or the error."""
    with suppress(ConfigError):
        profiles = read_profiles(data)
        roots_of(profiles, "i")
        assert read_profiles(write_profiles(profiles)) == profiles
        write_profiles(updated(profiles, {"install_id": "i"}))


_HELLO = {"id": "1", "op": "handshake", "extensionId": "abc", "installId": "i"}
_OPEN = {"id": 2, "op": "openFile", "rootKey": "k", "path": "a/b"}
_ROOT = {"key": "k", "path": "/a", "display_name": "A"}
_PROFILES = write_profiles([{"install_id": "i", "last_used": 7, "download_roots": [_ROOT]}])

TARGETS = [
    Target(
        "native_messages",
        "what a browser's extension asks for",
        fuzz_native_messages,
        [encode_message(_HELLO) + encode_message(_OPEN)],
    ),
    Target("profiles", "what was lent to which browser", fuzz_profiles, [_PROFILES]),
]
