"""Listening at several addresses with one port."""

from __future__ import annotations

from collections.abc import Callable

from millstream.engine.config import NetworkConfig
from millstream.errors import NetworkError
from millstream.interfaces.network import Connection, ConnectionHandler, Listener, Network
from millstream.protocol.compact import PeerAddress


async def listen_everywhere(
    network: Network,
    config: NetworkConfig,
    accept: Callable[[Connection], ConnectionHandler],
) -> list[Listener]:
    """Listen at every configured host that the machine has, all with the same port.

    Raises NetworkError if there is no host at which it can listen.
    """
    listeners: list[Listener] = []
    port = config.listen_port
    if port is None:
        return listeners
    failure: NetworkError | None = None
    for host in config.listen_hosts:
        try:
            listener = await network.listen(PeerAddress(host, port), accept)
        except NetworkError as error:
            failure = failure or error
        else:
            listeners.append(listener)
            port = listener.address.port
    if not listeners and failure is not None:
        raise failure
    return listeners
