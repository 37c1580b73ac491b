from __future__ import annotations

from pathlib import Path

import pytest

from millstream.native_host.containment import OutsideError, contained, is_runnable


@pytest.fixture
def root(tmp_path):
    (tmp_path / "secret").write_bytes(b"")
    (tmp_path / "root-beside").mkdir()
    root = tmp_path / "root"
    (root / "a..b").mkdir(parents=True)
    (root / "a..b" / "é #?%").write_bytes(b"")
    (root / "in").symlink_to("a..b")
    (root / "out").symlink_to("../secret")
    (root / "beside").symlink_to("../root-beside")
    (root / "up").symlink_to("..")
    (root / "round").symlink_to("round")
    return root


@pytest.mark.parametrize("path", ["a..b/é #?%", "in/é #?%", "./a..b//é #?%"])
def test_inside(root, path):
    assert contained(str(root), path) == root / "a..b" / "é #?%"


@pytest.mark.parametrize(
    "path",
    [
        *("out", "beside", "up", "up/secret", "up/root/a..b/../../secret", "../secret"),
        *("a..b/../../secret", "/etc/passwd", "//etc/passwd", "nothing", "round", "a" * 300),
        "a\0b",
    ],
)
def test_outside(root, path):
    with pytest.raises(OutsideError):
        contained(str(root), path)


def test_a_root_may_be_a_link_itself(root):
    link = root.parent / "link"
    link.symlink_to(root)
    assert contained(str(link), "a..b") == root / "a..b"


def test_a_root_that_is_gone(tmp_path):
    with pytest.raises(OutsideError):
        contained(str(tmp_path / "gone"), "a")


@pytest.mark.parametrize(
    "name", ["a.exe", "A.EXE", "a.exe. ", "x.desktop", "run.sh", "film.mkv.lnk"]
)
def test_what_opening_would_run(name):
    assert is_runnable(Path("/r", name))


@pytest.mark.parametrize("name", ["a.mkv", "exe", "a.exe.txt", ".hidden", "a.pdf", "a"])
def test_what_opening_shows(name):
    assert not is_runnable(Path("/r", name))
