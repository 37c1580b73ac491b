"""What is said of files while the daemon that has them is away."""

from __future__ import annotations

import errno

from millstream.errors import NetworkError, RootUnavailableError


def root_away(root: str, error: NetworkError) -> RootUnavailableError:
    """The root may come back, and with it all that is in it."""
    # A number, so that nobody takes it for a file that is too short.
    return RootUnavailableError(root, root, str(error), errno.ENOTCONN)
