from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.http_server.fields import Fields, parse_json
from millstream.http_server.refusal import Refusal


def refused(call, *arguments, **values):
    with pytest.raises(Refusal) as caught:
        call(*arguments, **values)
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize("body", [b"", b"  \r\n", b"{}"])
def test_no_body_is_an_empty_object(body):
    parse_json(body).finish()


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b'{"a": NaN}', b'{"a": -Infinity}', b"[" * 100_000, b'{"a": 1} x', b"\x00"],
)
def test_what_is_no_json_is_refused(body):
    assert refused(parse_json, body).code == "MalformedJson"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[]", "an array"),
        (b'"x"', "a string"),
        (b"7", "a number"),
        (b"null", "null"),
        (b"true", "a boolean"),
    ],
)
def test_the_body_must_be_an_object(body, kind):
    assert str(refused(parse_json, body)) == f"the body must be a JSON object, and it is {kind}"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body):
    try:
        fields = parse_json(body)
    except Refusal as refusal:
        json.dumps(refusal.body())
    else:
        assert isinstance(fields, Fields)


def test_readers_take_their_types():
    fields = Fields(
        {
            "text": "x",
            "word": "b",
            "path": "/srv",
            "whole": 7,
            "number": 0.5,
            "flag": False,
            "texts": ["a"],
            "numbers": [1, 2],
            "inner": {"x": 1},
        }
    )
    assert fields.text("text") == "x"
    assert fields.choice("word", ("a", "b")) == "b"
    assert fields.path("path") == "/srv"
    assert fields.integer("whole", 0, 9) == 7
    assert fields.number("number", 0, 1) == 0.5
    assert fields.flag("flag") is False
    assert fields.texts("texts", 1) == ["a"]
    assert fields.integers("numbers", 2) == [1, 2]
    inner = fields.fields("inner")
    assert inner is not None
    assert inner.integer("x", 0, 9) == 1
    fields.finish()


def test_null_is_as_good_as_left_out():
    fields = Fields({"x": None})
    assert fields.has("x")
    assert fields.integer("x", 0, 9) is None
    assert fields.texts("y", 1) == []
    fields.finish()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("7", "a string"),
        (True, "a boolean"),
        (7.0, "a number"),
        ([], "an array"),
        ({}, "an object"),
    ],
)
def test_a_wrong_type_is_said(value, kind):
    refusal = refused(Fields({"port": value}, "config.").integer, "port", 0, 9)
    assert refusal.field == "config.port"
    assert str(refusal) == f"config.port must be a number, and it is {kind}"


@pytest.mark.parametrize(
    ("read", "value", "words"),
    [
        (lambda f: f.text("x", longest=2), "abc", "x has 3 characters; 2 is the most"),
        (lambda f: f.choice("x", ("a", "b")), "c", "x is 'c'; it must be a or b"),
        (lambda f: f.path("x"), "relative", "x is 'relative'; it must be an absolute path"),
        (lambda f: f.path("x"), "/a\0b", r"x is '/a\x00b'; it must be an absolute path"),
        (lambda f: f.integer("x", 1, 5), 6, "x is 6; it must be 1 to 5"),
        (lambda f: f.number("x", 0.5, 1), 0, "x is 0; it must be 0.5 to 1"),
        (lambda f: f.texts("x", 1), ["a", "b"], "x has 2 elements; 1 is the most"),
        (lambda f: f.integers("x", 9), [1, "2"], "x[1] must be a number, and it is a string"),
        (lambda f: f.integers("x", 9), [True], "x[0] must be a number, and it is a boolean"),
        (lambda f: f.required(f.text, "y"), "", "y is missing"),
        (lambda f: f.finish(), 1, "x is not known here"),
    ],
)
def test_what_is_wrong_is_said_with_the_name(read, value, words):
    assert str(refused(read, Fields({"x": value}))) == words


@pytest.mark.parametrize("path", ["C:\\Users", "d:/x", "/"])
def test_absolute_paths_of_every_system(path):
    assert Fields({"x": path}).path("x") == path


def test_arrays_of_arrays():
    assert Fields({"a": [[1, "x"], []]}).arrays("a", 2) == [[1, "x"], []]
    assert Fields({}).arrays("a", 2) == []
    assert refused(Fields({"a": [1]}).arrays, "a", 2).field == "a[0]"
    assert refused(Fields({"a": [[], []]}).arrays, "a", 1).field == "a"
