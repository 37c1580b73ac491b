from __future__ import annotations

from millstream.http_server.refusal import Refusal, invalid


def test_the_body_says_what_and_why():
    assert Refusal(404, "NotFound", "there is no such thing").body() == {
        "ok": False,
        "error": "NotFound",
        "message": "there is no such thing",
    }


def test_a_wrong_field_is_named():
    refusal = invalid("config.port", "is 7; it must be 8 to 9")
    assert (refusal.status, refusal.body()["field"]) == (400, "config.port")
    assert str(refusal) == "config.port is 7; it must be 8 to 9"
