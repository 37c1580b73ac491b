"""Listening at several addresses with one port."""

from __future__ import annotations

from collections.abc import Callable

from millstream.engine.config import NetworkConfig
from millstream.errors import NetworkError
from millstream.interfaces.network import Connection, ConnectionHandler, Listener, Network
from millstream.protocol.compact import PeerAddress


class Listeners:
    """Where peers reach an engine."""

    def __init__(self) -> None:
        self._open: list[Listener] = []

    async def open(
        self,
        network: Network,
        config: NetworkConfig,
        accept: Callable[[Connection], ConnectionHandler],
    ) -> None:
        """Listen at every configured host that the machine has, all with the same port.

        Raises NetworkError if there is no host at which it can listen.
        """
        port = config.listen_port
        if port is None:
            return
        failure: NetworkError | None = None
        for host in config.listen_hosts:
            try:
                listener = await network.listen(PeerAddress(host, port), accept)
            except NetworkError as error:
                failure = failure or error
            else:
                self._open.append(listener)
                port = listener.address.port
        if not self._open and failure is not None:
            raise failure

    def close(self) -> None:
        """Accept nobody any more."""
        for listener in self._open:
            listener.close()

    @property
    def port(self) -> int | None:
        """The port at which peers reach us; None if we do not listen."""
        return self._open[0].address.port if self._open else None

    def families(self) -> tuple[int, ...]:
        """The IP versions in which peers reach us; all, if we accept nobody."""
        hosts = [listener.address.host for listener in self._open]
        return tuple(sorted({6 if ":" in host else 4 for host in hosts})) or (4, 6)
