"""Native messaging: what was framed is read however it is cut, and any bytes are messages or refused."""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import ConfigError
from millstream.http_server.refusal import Refusal
from millstream.native_host.framing import BrokenFrameError, FrameReader, encode_message
from millstream.native_host.links import magnet_event, torrent_event
from millstream.native_host.operations import BadRequestError, read_request
from millstream.native_host.profiles import read_profiles, roots_of, updated, write_profiles

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("id", "op", "extensionId", "installId", "origin", "key", "rootKey", "path")
BODY = ("magnet", "file_name", "contents_base64")
OPERATIONS = ("handshake", "pickDownloadDirectory", "deleteDownloadRoot", "openFile")


@given(st.lists(JSON, max_size=5), st.lists(st.integers(0, 200), max_size=8))
def test_messages_survive_any_cuts(messages, cuts):
    data = b"".join(map(encode_message, messages))
    reader, found, begun = FrameReader(), [], 0
    for cut in (*sorted(cuts), len(data)):
        found += reader.receive_data(data[begun : max(begun, cut)])
        begun = max(begun, cut)
    assert found == messages
    assert reader.is_between_frames


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_any_bytes_are_messages_or_refused(chunks):
    reader = FrameReader()
    with suppress(BrokenFrameError):
        for chunk in chunks:
            reader.receive_data(chunk)


@given(
    JSON | st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(OPERATIONS) | st.text() | JSON)
)
def test_any_message_is_a_request_or_refused(message):
    with suppress(BadRequestError):
        request = read_request(message)
        assert request.id == message["id"]


@given(JSON | st.fixed_dictionaries({"version": st.just(1), "profiles": st.lists(JSON)}))
def test_any_file_is_profiles_or_refused(value):
    with suppress(ConfigError):
        profiles = read_profiles(json.dumps(value).encode())
        assert roots_of(profiles, "a") is not None
        after = updated(profiles, {"install_id": "a", "download_roots": []})
        assert roots_of(read_profiles(write_profiles(after)), "a") == ()


@given(st.sampled_from([magnet_event, torrent_event]), st.dictionaries(st.sampled_from(BODY), JSON))
def test_any_body_is_an_event_or_refused(event, body):
    with suppress(Refusal):
        encode_message(event(body))
