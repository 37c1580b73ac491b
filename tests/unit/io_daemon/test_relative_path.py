from __future__ import annotations

import pytest

from millstream.io_daemon.relative_path import MAX_PARTS, PathRefusedError, path_parts


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a/b.txt", ("a", "b.txt")),
        ("a..b/..c/d..", ("a..b", "..c", "d..")),
        ("...", ("...",)),
        ("a #?%2e%2e/é/名前", ("a #?%2e%2e", "é", "名前")),
        ("a:b\\c", ("a:b\\c",)),
        ("~/$HOME", ("~", "$HOME")),
    ],
)
def test_good_names(path, parts):
    assert path_parts(path, windows=False) == parts


@pytest.mark.parametrize(
    "path",
    [
        *("..", "../x", "a/..", "a/../b", ".", "./a", "a/.", "a//b", "a/", "/", "/etc/passwd"),
        *("//host/share", "a\0b", "\0", "a/\0", "x" * 256, "é" * 128, "\udcff"),
        "/".join("a" * (MAX_PARTS + 1)),
    ],
)
def test_what_could_lead_out_or_nowhere(path):
    with pytest.raises(PathRefusedError):
        path_parts(path, windows=False)


@pytest.mark.parametrize("path", ["C:/x", "c:", "a/b:stream", "a\\..\\b", "\\\\host\\share"])
def test_what_leads_out_on_windows_only(path):
    path_parts(path, windows=False)
    with pytest.raises(PathRefusedError, match="Windows"):
        path_parts(path, windows=True)


def test_long_paths_are_told_short():
    with pytest.raises(PathRefusedError) as caught:
        path_parts("../" + "x" * 100_000)
    assert len(str(caught.value)) < 300
