from __future__ import annotations

from millstream.io_daemon.cors import answer_headers, preflight_headers

SITE = "https://app.example"


def test_no_page_no_headers():
    assert answer_headers(None) == {}
    assert preflight_headers(None, private_network=True) == {}


def test_an_answer_names_the_site():
    assert answer_headers(SITE) == {"Access-Control-Allow-Origin": SITE, "Vary": "Origin"}


def test_a_preflight_is_remembered():
    headers = preflight_headers(SITE, private_network=False)
    assert headers["Access-Control-Max-Age"] == "86400"
    assert "POST" in headers["Access-Control-Allow-Methods"]
    allowed = headers["Access-Control-Allow-Headers"].split(", ")
    assert {"x-jst-auth", "x-path-base64", "x-offset", "x-expected-sha1"} <= set(allowed)
    assert "Access-Control-Allow-Private-Network" not in headers
    asked = preflight_headers(SITE, private_network=True)
    assert asked["Access-Control-Allow-Private-Network"] == "true"
