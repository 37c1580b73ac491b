"""What is said of files while the daemon that has them is away."""

from __future__ import annotations

from millstream.errors import NetworkError, RootUnavailableError


def root_away(root: str, error: NetworkError) -> RootUnavailableError:
    """The root may come back, and with it all that is in it."""
    return RootUnavailableError(root, root, str(error))
