"""What an extension may ask for, read from its messages and written into answers. Pure.

A request is `{"id", "op", ...}`, its answer `{"id", "ok", "type", "payload"}` or `{"id", "ok": false,
"error"}`; names and shapes are those of JSTorrent's native host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from millstream.errors import MillstreamError

# A UUID has 36 characters, and so has the id of an add-on of Firefox; some have names with domains.
MAX_ID_LENGTH = 128
# PATH_MAX of Linux.
MAX_PATH_LENGTH = 4096

# Drawn by Firefox for each profile; Chrome's origins are made of the extension's id.
_FIREFOX_ORIGIN = re.compile(r"moz-extension://[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

RequestId: TypeAlias = str | int | float | None


class BadRequestError(MillstreamError):
    """A message asks for nothing that there is; the message says why.

    Attributes:
        request_id: of the request, as far as it has one.
    """

    def __init__(self, message: str, request_id: RequestId = None) -> None:
        super().__init__(message)
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Handshake:
    """Who asks; answered with where the io-daemon is.

    Attributes:
        extension_id: as the browser knows it.
        install_id: drawn by the extension when it was installed.
        origin: of the extension's pages, where that does not follow from its id: in Firefox. Empty
            where it does.
    """

    extension_id: str
    install_id: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class PickDownloadDirectory:
    """Let the user choose one more directory."""


@dataclass(frozen=True, slots=True)
class DeleteDownloadRoot:
    """Lend a directory no more; its files stay."""

    key: str


@dataclass(frozen=True, slots=True)
class OpenFile:
    """Open a file with the program that the user has for it."""

    root_key: str
    path: str


@dataclass(frozen=True, slots=True)
class RevealInFolder:
    """Show a file in the file manager."""

    root_key: str
    path: str


Operation: TypeAlias = (
    Handshake | PickDownloadDirectory | DeleteDownloadRoot | OpenFile | RevealInFolder
)


class Request(NamedTuple):
    """One message.

    Attributes:
        id: comes back with the answer.
        operation: what is asked for.
    """

    id: RequestId
    operation: Operation


def read_request(message: object) -> Request:
    """Read a message; raises BadRequestError."""
    if not isinstance(message, dict):
        raise BadRequestError("a request is a JSON object")
    request_id = message.get("id")
    if not isinstance(request_id, (str, int, float)):
        raise BadRequestError("a request has an id: a text or a number")
    if isinstance(request_id, str) and len(request_id) > MAX_ID_LENGTH:
        raise BadRequestError(f"an id has {MAX_ID_LENGTH} characters at most")
    try:
        return Request(request_id, _operation(message))
    except BadRequestError as error:
        error.request_id = request_id
        raise


def succeeded(request_id: RequestId, kind: str, payload: object = None) -> dict[str, object]:
    """The answer to a request that was carried out; `Empty` has no payload."""
    answer: dict[str, object] = {"id": request_id, "ok": True, "type": kind}
    return answer if payload is None else answer | {"payload": payload}


def failed(request_id: RequestId, why: str) -> dict[str, object]:
    """The answer to a request that was not."""
    return {"id": request_id, "ok": False, "error": why, "type": "Empty"}


def _operation(message: Mapping[str, Any]) -> Operation:
    match message.get("op"):
        case "handshake":
            return Handshake(
                _text(message, "extensionId", MAX_ID_LENGTH),
                _text(message, "installId", MAX_ID_LENGTH),
                _origin(message),
            )
        case "pickDownloadDirectory":
            return PickDownloadDirectory()
        case "deleteDownloadRoot":
            return DeleteDownloadRoot(_text(message, "key", MAX_ID_LENGTH))
        case "openFile":
            return OpenFile(
                _text(message, "rootKey", MAX_ID_LENGTH), _text(message, "path", MAX_PATH_LENGTH)
            )
        case "revealInFolder":
            return RevealInFolder(
                _text(message, "rootKey", MAX_ID_LENGTH), _text(message, "path", MAX_PATH_LENGTH)
            )
        case str(name):
            raise BadRequestError(f"there is no operation {name[:80]!r}")
        case _:
            raise BadRequestError("a request names its operation: op")


def _origin(message: Mapping[str, Any]) -> str:
    if message.get("origin") is None:
        return ""
    value = _text(message, "origin", MAX_ID_LENGTH)
    if not _FIREFOX_ORIGIN.fullmatch(value):
        raise BadRequestError("origin is moz-extension://, and a UUID")
    return value


def _text(message: Mapping[str, Any], name: str, most: int) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise BadRequestError(f"{name} is a text of 1 to {most} characters")
    if "\0" in value or not value.isprintable():
        raise BadRequestError(f"{name} has characters that cannot be shown")
    return value
