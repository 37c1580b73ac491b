"""Who may ask the control server: see `http_server.gate`."""

from __future__ import annotations

from millstream.http_server.gate import RequestGate, bearer_token
from millstream.rpc.config import ControlConfig


class Gate:
    """Lets requests in or refuses them.

    Args:
        config: the token, and the names that the server has.
    """

    def __init__(self, config: ControlConfig) -> None:
        self._gate = RequestGate(config.token, config.allowed_hosts, is_loopback=config.is_loopback)

    def check(
        self,
        *,
        hosts: list[str],
        origin: str | None,
        fetch_site: str | None,
        authorization: str | None,
        remote: str | None,
    ) -> None:
        """Raise Refusal if a request may not be carried out.

        Args:
            hosts: all `Host` headers.
            origin: the `Origin` header.
            fetch_site: the `Sec-Fetch-Site` header.
            authorization: the `Authorization` header.
            remote: where the connection comes from.
        """
        self._gate.check_site(hosts, origin, fetch_site)
        self._gate.check_token(bearer_token(authorization), remote)
