"""Why a request is refused: the errors of the control server, as HTTP and JSON tell them."""

from __future__ import annotations

from millstream.errors import (
    ConfigError,
    DuplicateTorrentError,
    EngineClosedError,
    EngineError,
    HttpError,
    MalformedDataError,
    MetadataPendingError,
    MillstreamError,
    TorrentFailedError,
    TorrentRemovedError,
)
from millstream.http_server.refusal import Refusal, invalid

__all__ = ["Refusal", "invalid", "refusal_of"]


# The first that fits counts. JSTorrent answers 400 for what a request got wrong and else 500.
_STATUS: tuple[tuple[type[MillstreamError], int, str], ...] = (
    (DuplicateTorrentError, 409, "DuplicateTorrent"),
    (TorrentRemovedError, 400, "TorrentNotFound"),
    (EngineClosedError, 400, "EngineNotRunning"),
    (MetadataPendingError, 409, "MetadataPending"),
    (MalformedDataError, 400, "MalformedData"),
    (ConfigError, 400, "InvalidSetting"),
    (HttpError, 502, "FetchFailed"),
    (TorrentFailedError, 500, "TorrentFailed"),
    (EngineError, 409, "Conflict"),
)


def refusal_of(error: MillstreamError) -> Refusal:
    """An error of the engine as an answer."""
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return Refusal(status, code, str(error))
    return Refusal(500, type(error).__name__.removesuffix("Error"), str(error))
