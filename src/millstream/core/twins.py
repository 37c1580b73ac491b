"""Two connections to one peer: which of them stays."""

from __future__ import annotations


def keep_new(
    ours: bytes, theirs: bytes, *, existing_incoming: bool, new_incoming: bool, same_host: bool
) -> bool:
    """Whether the new connection replaces the existing one; otherwise it is refused.

    If both sides connected at once, both must close the same connection, or none is left: the side
    with the greater peer id is the one that may connect, as in libtorrent. In every other case the
    existing connection stays. From another host it would be too easy to push a peer out: its peer
    id is no secret.

    Args:
        ours: our peer id.
        theirs: the peer id that both connections gave in their handshakes.
        existing_incoming: whether the peer came to us by the connection that exists.
        new_incoming: whether it came by the new one.
        same_host: whether both have the same host at their far end.
    """
    crossed = same_host and existing_incoming != new_incoming
    return crossed and new_incoming == (theirs > ours)
