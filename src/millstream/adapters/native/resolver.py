"""Names of hosts, looked up by the system's resolver in threads.

These are not the loop's: a name server that does not answer holds a thread for half a minute, and a
loop that ends waits for all of its executor's threads. Nobody waits for these.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from ipaddress import ip_address

from millstream.errors import NetworkError

# Lookups at a time; each has a thread.
MAX_LOOKUPS = 16


class Resolver:
    """Looks up names within one event loop."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(MAX_LOOKUPS)

    async def resolve(self, host: str, family: int = socket.AF_UNSPEC) -> list[str]:
        """The addresses of a host, best first (RFC 6724); an address is its own.

        Raises:
            NetworkError: there is none, or none of the family.
        """
        try:
            literal = ip_address(host)
        except ValueError:
            pass
        else:
            wanted = {4: socket.AF_INET, 6: socket.AF_INET6}[literal.version]
            if family not in {socket.AF_UNSPEC, wanted}:
                raise NetworkError(f"{host} is an IPv{literal.version} address")
            return [str(literal)]
        try:
            return await self._look_up(host, family)
        except OSError as error:
            raise NetworkError(f"{host}: {_in_words(error)}") from error
        except UnicodeError as error:  # too long a label, or an empty one
            raise NetworkError(f"{host}: not a host name") from error

    async def _look_up(self, host: str, family: int) -> list[str]:
        """Raises OSError and UnicodeError. Cancelled, it leaves the thread to itself."""
        await self._room.acquire()
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[str]] = loop.create_future()

        def settle(addresses: list[str], error: Exception | None) -> None:
            self._room.release()
            if found.done():  # cancelled meanwhile
                return
            if error is None:
                found.set_result(addresses)
            else:
                found.set_exception(error)

        def ask() -> None:
            addresses: list[str] = []
            error: Exception | None = None
            try:
                entries = socket.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM)
                # An address can come once for each protocol.
                addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
            except Exception as caught:  # noqa: BLE001 - it is raised again where it is awaited
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(settle, addresses, error)

        threading.Thread(target=ask, name="millstream-resolver", daemon=True).start()
        return await found


def _in_words(error: OSError) -> str:
    # The resolver's numbers; its own words ("nodename nor servname provided") help nobody.
    if error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}:
        return "no such host"
    if error.errno == socket.EAI_AGAIN:
        return "the name server does not answer"
    return error.strerror or str(error)
