from __future__ import annotations

import pytest

from millstream.adapters.daemon.lent_path import below, normal_root, split_root


@pytest.mark.parametrize(
    ("root", "token", "directory"),
    [("f", "f", ""), ("f/a", "f", "a"), ("f/a/b", "f", "a/b")],
)
def test_a_root_is_a_token_and_a_directory(root, token, directory):
    assert split_root(root) == (token, directory)


@pytest.mark.parametrize(
    ("directory", "path", "whole"),
    [("", "", ""), ("a", "", "a"), ("", "b", "b"), ("a/b", "c/d", "a/b/c/d")],
)
def test_a_path_below(directory, path, whole):
    assert below(directory, path) == whole


@pytest.mark.parametrize(
    ("written", "root"), [("f", "f"), ("f/", "f"), ("f//a/./b/", "f/a/b"), ("./f", "f")]
)
def test_a_root_is_written_in_one_way(written, root):
    assert normal_root(written) == root
    assert normal_root(root) == root


def test_what_leads_out_is_left_to_the_daemon_to_refuse():
    assert normal_root("f/../g") == "f/../g"
