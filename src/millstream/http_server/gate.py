"""Who may ask: the checks that come before any request is looked at. Pure decisions.

A server on loopback is within reach of every web page that a browser on the same machine shows. Such
a page can send requests though not read the answers, unless its name is made to point here (DNS
rebinding). `Host` says by which name the browser came, `Origin` and `Sec-Fetch-Site` whose page
it shows; pages can forge none of them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from ipaddress import ip_address

from millstream.http_server.refusal import Refusal

_BEARER = "bearer "


class RequestGate:
    """Lets requests in or refuses them, by raising Refusal.

    Args:
        token: what every request must bring; None lets in everybody on this machine.
        names: by which the server is reached, besides `localhost` and addresses.
        is_loopback: whether only this machine can reach it.

    Attributes:
        origins: sites whose pages may ask, besides the server's own.
    """

    def __init__(self, token: str | None, names: Iterable[str], *, is_loopback: bool) -> None:
        self._digest = None if token is None else _digest(token)
        self._is_loopback = is_loopback
        self._names = {"localhost", *(name.lower().rstrip(".") for name in names)}
        self.origins: frozenset[str] = frozenset()

    def check_site(self, hosts: list[str], origin: str | None, fetch_site: str | None) -> None:
        """Refuse requests that a page of another site has a browser send.

        Args:
            hosts: all `Host` headers.
            origin: the `Origin` header.
            fetch_site: the `Sec-Fetch-Site` header.
        """
        if len(hosts) != 1:
            raise Refusal(400, "BadHost", f"a request has one Host header, not {len(hosts)}")
        host = hosts[0].lower()
        if not self._is_our_name(host_name(host)):
            raise Refusal(
                403,
                "HostNotAllowed",
                f"Host is {host[:80]!r}: this server does not answer to that name; "
                "use its address, or start it with --allow-host",
            )
        if origin is not None and origin.lower() in self.origins:
            return
        if origin is not None and origin.lower() not in {f"http://{host}", f"https://{host}"}:
            raise Refusal(
                403, "OriginNotAllowed", f"Origin is {origin[:80]!r}: pages of other sites may not"
            )
        if fetch_site is not None and fetch_site.lower() not in {"same-origin", "none"}:
            raise Refusal(
                403, "OriginNotAllowed", f"Sec-Fetch-Site is {fetch_site[:40]!r}: it must be ours"
            )

    def check_token(self, token: str | None, remote: str | None) -> None:
        """Refuse who does not bring the token.

        Args:
            token: what was brought; None for nothing.
            remote: where the connection comes from.
        """
        if self._digest is None:
            # The server listens at loopback only; this holds should somebody change that.
            if not _is_loopback(remote):
                raise Refusal(401, "TokenRequired", "a token is needed from elsewhere")
            return
        if token is None:
            raise Refusal(
                401, "TokenRequired", "a token is needed: send Authorization: Bearer <token>"
            )
        # Digests have one length, and comparing them takes one time: neither tells of the token.
        if not hmac.compare_digest(_digest(token), self._digest):
            raise Refusal(401, "WrongToken", "the token is not the server's")

    def _is_our_name(self, name: str | None) -> bool:
        if name is None:
            return False
        if name.rstrip(".") in self._names:
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        # Nobody makes an address point elsewhere; 0.0.0.0 is a browser's way to this machine.
        return address.is_loopback or not (self._is_loopback or address.is_unspecified)


def bearer_token(authorization: str | None) -> str | None:
    """The token in an `Authorization` header, if there is one."""
    given = authorization or ""
    return given[len(_BEARER) :].strip() if given[: len(_BEARER)].lower() == _BEARER else None


def host_name(host: str) -> str | None:
    """The name or address in a `Host` header, without its port; None if it makes no sense."""
    if host.startswith("["):
        name, bracket, rest = host[1:].partition("]")
        if not bracket or ":" not in name:
            return None
    else:
        name, colon, port = host.partition(":")
        rest = colon + port
    if rest and not (rest[0] == ":" and rest[1:].isascii() and rest[1:].isdigit()):
        return None
    return name or None


def _is_loopback(remote: str | None) -> bool:
    try:
        return ip_address((remote or "").partition("%")[0]).is_loopback
    except ValueError:
        return False


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
