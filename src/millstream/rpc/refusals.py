"""Why a request is refused: the errors of the control server, as HTTP and JSON tell them."""

from __future__ import annotations

from millstream.errors import (
    ConfigError,
    DuplicateTorrentError,
    EngineClosedError,
    HttpError,
    MalformedDataError,
    MetadataPendingError,
    MillstreamError,
)


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """A request that is not carried out.

    Attributes:
        status: of HTTP.
        code: a word for programs, such as `TorrentNotFound`.
        field: the part of the body that is at fault, such as `config.port`; None if it is none.
    """

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field

    def body(self) -> dict[str, object]:
        """What the client is told."""
        told: dict[str, object] = {"ok": False, "error": self.code, "message": str(self)}
        if self.field is not None:
            told["field"] = self.field
        return told


# The first that fits counts. JSTorrent answers 400 for what a request got wrong and else 500.
_STATUS: tuple[tuple[type[MillstreamError], int, str], ...] = (
    (DuplicateTorrentError, 409, "DuplicateTorrent"),
    (EngineClosedError, 400, "EngineNotRunning"),
    (MetadataPendingError, 409, "MetadataPending"),
    (MalformedDataError, 400, "MalformedData"),
    (ConfigError, 400, "InvalidSetting"),
    (HttpError, 502, "FetchFailed"),
)


def refusal_of(error: MillstreamError) -> Refusal:
    """An error of the engine as an answer."""
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return Refusal(status, code, str(error))
    return Refusal(500, type(error).__name__.removesuffix("Error"), str(error))


def invalid(field: str, message: str) -> Refusal:
    """A field of the body is not what it must be; the message goes on after the field's name."""
    return Refusal(400, "InvalidField", f"{field} {message}", field)
