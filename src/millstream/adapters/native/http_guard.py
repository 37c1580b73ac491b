"""Keeping HTTP requests away from hosts that only this machine can reach.

What libtorrent calls `ssrf_mitigation`. The guard sits where a name becomes the address that is connected to, so that a name server which
answers differently the second time gains nothing. aiohttp asks no resolver about addresses in a
URL; `check_literal` is for these.
"""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from millstream.adapters.native.resolver import Resolver
from millstream.errors import HttpError, NetworkError
from millstream.protocol.address_scope import is_global, scope_of


class GuardedResolver(AbstractResolver):
    """Looks names up and leaves out the addresses that must not be connected to.

    Args:
        resolver: finds them.
        allow_local: whether all may.
    """

    def __init__(self, resolver: Resolver, *, allow_local: bool) -> None:
        self._resolver = resolver
        self._allow_local = allow_local

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See aiohttp. Raises HttpError."""
        try:
            found = await self._resolver.resolve(host, family)
        except NetworkError as error:
            raise HttpError(str(error)) from error
        usable = [address for address in found if self._allow_local or is_global(address)]
        if not usable:
            raise HttpError(_refusal(f"{host} leads to {found[0]}", found[0]))
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in usable
        ]

    async def close(self) -> None:
        """See aiohttp: nothing is held."""


def check_literal(host: str, family: int | None, *, allow_local: bool) -> None:
    """Check a host that may be an address; raises HttpError if it must not be connected to.

    Args:
        host: from a URL, without brackets.
        family: 4 or 6 if only that is wanted.
        allow_local: whether it may be other than global.
    """
    try:
        scope_of(host)
    except ValueError:
        return  # a name: the resolver sees it
    if family is not None and (family == 6) != (":" in host):
        raise HttpError(f"{host} is no IPv{family} address")
    if not (allow_local or is_global(host)):
        raise HttpError(_refusal(host, host))


def _refusal(subject: str, address: str) -> str:
    return (
        f"{subject}, a {scope_of(address).value} address: "
        "local hosts are not contacted for a torrent unless that is allowed"
    )
