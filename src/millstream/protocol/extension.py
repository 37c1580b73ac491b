"""The extension protocol: its handshake and its frame (BEP 10), and `upload_only` (BEP 21).

Each side names the extensions it takes and the id under which it takes each; the other side sends
under that id. Ids are thus the receiver's: what we send carries an id from the peer's handshake,
what we get carries one of `OUR_IDS`. A handshake may come again at any time and then says only what
changed; an id of 0 turns an extension off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from millstream.errors import BencodeError, RemoteProtocolError
from millstream.protocol import bencode
from millstream.protocol.bencode import Bencodable, Bencoded
from millstream.protocol.compact import (
    MAX_PORT,
    PeerAddress,
    pack_peers,
    pack_peers6,
    unpack_peers,
    unpack_peers6,
)
from millstream.protocol.messages import MessageId

HANDSHAKE_ID = 0
"""The extended message that is the handshake."""

UT_METADATA = "ut_metadata"
"""BEP 9."""

UT_PEX = "ut_pex"
"""BEP 11."""

LT_DONTHAVE = "lt_donthave"
"""BEP 54."""

UPLOAD_ONLY = "upload_only"
"""BEP 21 as a message: libtorrent sends one byte, 0 or 1, whenever it changes."""

OUR_IDS: Mapping[str, int] = MappingProxyType(
    {UT_METADATA: 1, UT_PEX: 2, LT_DONTHAVE: 3, UPLOAD_ONLY: 4}
)
"""The extensions we know, and the ids at which we take their messages."""

# Names of clients are shown to people. "Deluge 2.1.1 libtorrent 2.0.9.0" has 33 characters.
MAX_CLIENT_LENGTH = 64

_MAX_ID = 255
_NO_PORT = bytes(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionHandshake:
    """What one side says of itself; all of it is optional.

    Attributes:
        messages: the ids (0 to 255) at which it takes messages, by the names in `OUR_IDS`; 0 is
            off. Names that we do not know are left out.
        client: its name and version, printable, for people (`v`).
        request_queue: how many requests it keeps without dropping any, at least 1 (`reqq`).
        port: the TCP port at which it listens, 1 to 65535 (`p`).
        your_ip: the address it sees the receiver at, in canonical text (`yourip`).
        metadata_size: bytes in its info dict, at least 1, and anything above (BEP 9).
        upload_only: whether it downloads nothing (BEP 21).
        encryption: whether it prefers encrypted connections (`e`, BEP 11's flag 1).
    """

    messages: Mapping[str, int] = field(default_factory=dict)
    client: str | None = None
    request_queue: int | None = None
    port: int | None = None
    your_ip: str | None = None
    metadata_size: int | None = None
    upload_only: bool = False
    encryption: bool = False

    @classmethod
    def parse(cls, payload: bytes | memoryview) -> ExtensionHandshake:
        """Read what follows the id 0. A field of an odd type or value counts as not sent.

        Raises:
            RemoteProtocolError: the payload does not begin with a bencoded dictionary.
        """
        said, _ = parse_dict(bytes(payload), "extension handshake")
        return cls(
            messages=_read_messages(said.get(b"m")),
            client=_read_client(said.get(b"v")),
            request_queue=_read_positive(said.get(b"reqq")),
            port=_read_port(said.get(b"p")),
            your_ip=_read_ip(said.get(b"yourip")),
            metadata_size=_read_positive(said.get(b"metadata_size")),
            upload_only=_read_flag(said.get(b"upload_only")),
            encryption=_read_flag(said.get(b"e")),
        )

    def after(self, earlier: ExtensionHandshake | None) -> ExtensionHandshake:
        """What holds now of this handshake and the earlier ones: what it leaves out stays (BEP 10).

        But for `upload_only` and `encryption`, which are false where they are left out.
        """
        if earlier is None:
            return self
        said = {
            name: getattr(self, name)
            for name in ("client", "request_queue", "port", "your_ip", "metadata_size")
            if getattr(self, name) is not None
        }
        return replace(
            earlier,
            messages={**earlier.messages, **self.messages},
            upload_only=self.upload_only,
            encryption=self.encryption,
            **said,
        )

    def encode(self) -> bytes:
        """The payload for the id 0; what is None or false is left out.

        Raises:
            LocalProtocolError: `your_ip` is no address.
        """
        said: dict[bytes, Bencodable] = {
            b"m": {name.encode(): number for name, number in self.messages.items()}
        }
        if self.client is not None:
            said[b"v"] = self.client.encode()
        if self.your_ip is not None:
            said[b"yourip"] = _pack_ip(self.your_ip)
        numbers = {
            b"reqq": self.request_queue,
            b"p": self.port,
            b"metadata_size": self.metadata_size,
            b"upload_only": int(self.upload_only) or None,
            b"e": int(self.encryption) or None,
        }
        said.update({key: number for key, number in numbers.items() if number is not None})
        return bencode.encode(said)


def extended(extension: int, payload: bytes) -> bytes:
    """Frame a message: length, 20, the id that the receiver gave the extension, payload."""
    length = (2 + len(payload)).to_bytes(4, "big")
    return b"%b%c%c%b" % (length, int(MessageId.EXTENDED), extension, payload)


def parse_dict(payload: bytes, what: str) -> tuple[dict[bytes, Bencoded], int]:
    """The dictionary that a payload begins with, and where it ends; its keys may be in any order.

    Args:
        payload: the message behind its extended id.
        what: the message's name, for the error.

    Raises:
        RemoteProtocolError: no dictionary begins there.
    """
    try:
        value, end = bencode.decode_prefix(payload, strict_keys=False)
    except BencodeError as error:
        raise RemoteProtocolError(f"{what} is not bencoded: {error}") from error
    if not isinstance(value, dict):
        raise RemoteProtocolError(f"{what} is no dictionary")
    return value, end


def parse_upload_only(payload: bytes | memoryview) -> bool:
    """Whether the peer now downloads nothing (BEP 21, libtorrent's form).

    Raises:
        RemoteProtocolError: the payload is not 1 byte.
    """
    if len(payload) != 1:
        raise RemoteProtocolError(f"upload_only of {len(payload)} bytes")
    return payload[0] != 0


def _read_messages(value: Bencoded | None) -> dict[str, int]:
    if not isinstance(value, dict):
        return {}
    said = {name: value.get(name.encode()) for name in OUR_IDS}
    return {
        name: number
        for name, number in said.items()
        if isinstance(number, int) and 0 <= number <= _MAX_ID
    }


def _read_client(value: Bencoded | None) -> str | None:
    if not isinstance(value, bytes):
        return None
    # Cut first: a name of 30 KB is not worth reading. No escape sequence gets to a terminal.
    text = value[: 4 * MAX_CLIENT_LENGTH].decode("utf-8", "replace")
    shown = "".join(char for char in text if char.isprintable()).strip()
    return shown[:MAX_CLIENT_LENGTH] or None


def _read_positive(value: Bencoded | None) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _read_port(value: Bencoded | None) -> int | None:
    return value if isinstance(value, int) and 0 < value <= MAX_PORT else None


def _read_flag(value: Bencoded | None) -> bool:
    return isinstance(value, int) and value != 0


def _read_ip(value: Bencoded | None) -> str | None:
    if not isinstance(value, bytes):
        return None
    if len(value) == 4:
        return unpack_peers(value + _NO_PORT)[0].host
    if len(value) == 16:
        return unpack_peers6(value + _NO_PORT)[0].host
    return None


def _pack_ip(host: str) -> bytes:
    address = PeerAddress(host, 0)
    packed = pack_peers6([address]) if address.is_ipv6 else pack_peers([address])
    return packed[: -len(_NO_PORT)]
