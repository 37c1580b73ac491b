"""How a file in the daemon is named: the token of its root, and the path below it.

To an engine a root is a token, or a token and a directory below it, `token/some/directory`.
"""

from __future__ import annotations


def split_root(root: str) -> tuple[str, str]:
    """Token and directory of a root; the latter is empty for the lent directory itself."""
    token, _, directory = root.partition("/")
    return token, directory


def below(directory: str, path: str) -> str:
    """A path below a directory; each may be empty."""
    return f"{directory}/{path}" if directory and path else directory or path


def normal_root(directory: str) -> str:
    """A root as a user writes it, without empty parts."""
    return "/".join(part for part in directory.split("/") if part not in {"", "."})
