from __future__ import annotations

import pytest

from millstream import errors
from millstream.rpc.refusals import refusal_of


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.DuplicateTorrentError("x"), 409, "DuplicateTorrent"),
        (errors.EngineClosedError("x"), 400, "EngineNotRunning"),
        (errors.TorrentRemovedError("x"), 400, "TorrentNotFound"),
        (errors.MetadataPendingError("x"), 409, "MetadataPending"),
        (errors.MalformedTorrentError("x"), 400, "MalformedData"),
        (errors.ConfigError("x"), 400, "InvalidSetting"),
        (errors.HttpError("x"), 502, "FetchFailed"),
        (errors.StorageError("/p", "full"), 500, "Storage"),
        (errors.TorrentFailedError("x"), 500, "TorrentFailed"),
        (errors.EngineError("x"), 409, "Conflict"),
        (errors.NetworkError("x"), 500, "Network"),
    ],
)
def test_errors_of_the_engine_have_a_status_and_a_word(error, status, code):
    refusal = refusal_of(error)
    assert (refusal.status, refusal.code, str(refusal)) == (status, code, str(error))
