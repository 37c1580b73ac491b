"""Peer ids (BEP 20): making ours and naming others'."""

from __future__ import annotations

import random
import re
from functools import lru_cache

PEER_ID_PREFIX = b"-ML0100-"

# The codes a user meets most; BEP 20 and the clients' own sources.
_CLIENTS = {
    "7T": "aTorrent",
    "AZ": "Vuze",
    "BC": "BitComet",
    "BI": "BiglyBT",
    "DE": "Deluge",
    "FD": "Free Download Manager",
    "FL": "Flud",
    "JS": "JSTorrent",
    "KT": "KTorrent",
    "LT": "libtorrent",
    "ML": "Millstream",
    "PI": "PicoTorrent",
    "TR": "Transmission",
    "TX": "Tixati",
    "UM": "uTorrent Mac",
    "UT": "uTorrent",
    "WW": "WebTorrent",
    "lt": "rTorrent",
    "qB": "qBittorrent",
    "rQ": "rqbit",
}
_AZUREUS = re.compile(rb"-([A-Za-z0-9]{2})([A-Za-z0-9]{4})-", re.ASCII)


def make_peer_id(rng: random.Random) -> bytes:
    """A fresh peer id of 20 bytes in the Azureus style."""
    return PEER_ID_PREFIX + rng.randbytes(20 - len(PEER_ID_PREFIX))


@lru_cache(maxsize=1024)
def client_name(peer_id: bytes) -> str:
    """The client a peer id claims, such as `Transmission 4.0.6`; never raises."""
    match = _AZUREUS.match(peer_id)
    if match is None:
        return "unknown"
    code, version = match[1].decode("ascii"), match[2].decode("ascii")
    digits = [str(int(digit, 36)) for digit in version]
    if digits[-1] == "0":
        digits.pop()
    return f"{_CLIENTS.get(code, code)} {'.'.join(digits)}"
