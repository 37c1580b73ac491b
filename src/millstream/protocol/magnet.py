"""Magnet links: a torrent by its infohash, and where to ask for it (BEP 9, section "magnet URI").

    magnet:?xt=urn:btih:<40 hex or 32 base32 digits>&dn=<name>&tr=<tracker>&ws=<web seed>
           &x.pe=<host:port>&so=<file indexes, BEP 53>

Reading is as lenient as libtorrent's: names of parameters in either case and with a number behind
(`tr.1`), unknown ones skipped, and trackers and peers that make no sense left out. What names the
torrent is read strictly.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from millstream.errors import MalformedDataError, MalformedMagnetError
from millstream.protocol.compact import PeerAddress
from millstream.protocol.file_selection import FileSelection
from millstream.protocol.infohash import InfoHash
from millstream.protocol.metainfo import Metainfo
from millstream.protocol.percent import UNRESERVED, quote, unquote

# A link is a line of text or one argument of a command, and Linux allows no longer argument
# (MAX_ARG_STRLEN). Libtorrent sets no limit.
MAX_MAGNET_LENGTH = 128 << 10

# Announced to and connected to are no more of them, so that no link makes us knock at ten thousand
# doors. Long lists of public trackers have about 150. Libtorrent sets no limits here.
MAX_TRACKERS = 256
MAX_WEB_SEEDS = 256
MAX_PEERS = 256

_BTIH = "urn:btih:"
_BTMH = "urn:btmh:"

# An address stays readable, and libtorrent does not decode it.
_OF_ADDRESSES = UNRESERVED | frozenset(b"[]:")

_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\x00-\x20\x7f]+", re.IGNORECASE)
_NUMBERED = re.compile(r"\.[0-9]*$")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Magnet:
    """A magnet link.

    Attributes:
        info_hash: the torrent's.
        name: what to call it until its metadata is here; no file name, and printable.
        trackers: announce URLs, each a tier of its own (BEP 12), at most MAX_TRACKERS.
        web_seeds: URLs that serve the files (BEP 19), at most MAX_WEB_SEEDS.
        peers: where peers listen, at most MAX_PEERS; hosts may be names.
        select: the files to download (BEP 53); None for all of them.
    """

    info_hash: InfoHash
    name: str | None = None
    trackers: tuple[str, ...] = ()
    web_seeds: tuple[str, ...] = ()
    peers: tuple[PeerAddress, ...] = ()
    select: FileSelection | None = None

    @classmethod
    def parse(cls, text: str) -> Magnet:
        """Read a link.

        Raises:
            MalformedMagnetError: no magnet link, too long, without a version 1 infohash, or with
                several; it says so where a link is for version 2 alone (BEP 52).
        """
        text = text.strip()
        if len(text) > MAX_MAGNET_LENGTH:
            raise MalformedMagnetError(f"the magnet link has over {MAX_MAGNET_LENGTH} characters")
        scheme, mark, query = text.partition("?")
        if scheme.lower() != "magnet:" or not mark:
            raise MalformedMagnetError("a magnet link begins with magnet:?")
        said: dict[str, list[str]] = {}
        for parameter in query.split("&"):
            name, _, value = parameter.partition("=")
            said.setdefault(_NUMBERED.sub("", name).lower(), []).append(value)
        return cls(
            info_hash=_read_info_hash(map(_unquote, said.get("xt", ()))),
            name=_read_name(said.get("dn", ())),
            trackers=_some(_read_urls(said.get("tr", ())), MAX_TRACKERS),
            web_seeds=_some(_read_urls(said.get("ws", ())), MAX_WEB_SEEDS),
            peers=_some(_read_peers(said.get("x.pe", ())), MAX_PEERS),
            select=FileSelection.read(",".join(map(_unquote, said.get("so", ())))),
        )

    @classmethod
    def of(cls, metainfo: Metainfo) -> Magnet:
        """The link to a torrent, with as many trackers and web seeds as links may have."""
        return cls(
            metainfo.info_hash,
            metainfo.name,
            trackers=_some((url for tier in metainfo.trackers for url in tier), MAX_TRACKERS),
            web_seeds=_some(metainfo.web_seeds, MAX_WEB_SEEDS),
        )

    def __str__(self) -> str:
        parts = [f"xt={_BTIH}{self.info_hash}"]
        if self.name is not None:
            parts.append(f"dn={_quote(self.name)}")
        parts += [f"tr={_quote(url)}" for url in self.trackers]
        parts += [f"ws={_quote(url)}" for url in self.web_seeds]
        parts += [f"x.pe={_quote(str(peer), _OF_ADDRESSES)}" for peer in self.peers]
        if self.select is not None:
            parts.append(f"so={self.select}")
        return "magnet:?" + "&".join(parts)


def _read_info_hash(topics: Iterable[str]) -> InfoHash:
    found: set[InfoHash] = set()
    is_version_2 = False
    for topic in topics:
        kind, digits = topic[: len(_BTIH)].lower(), topic[len(_BTIH) :]
        if kind == _BTIH:
            found.add(_parse_btih(digits))
        is_version_2 |= kind == _BTMH
    if len(found) > 1:
        raise MalformedMagnetError("the magnet link names several torrents")
    if found:
        return found.pop()
    if is_version_2:
        raise MalformedMagnetError(
            "the magnet link is for BitTorrent version 2 only (BEP 52), which is not supported"
        )
    raise MalformedMagnetError("the magnet link has no infohash (xt=urn:btih:...)")


def _parse_btih(digits: str) -> InfoHash:
    try:
        if len(digits) == 40:
            return InfoHash(binascii.unhexlify(digits))
        if len(digits) == 32:
            return InfoHash(base64.b32decode(digits, casefold=True))
    except (ValueError, MalformedDataError) as error:
        raise MalformedMagnetError(f"the magnet link's infohash is none: {digits!r}") from error
    raise MalformedMagnetError(
        f"an infohash is 40 hex or 32 base32 digits, the magnet link's has {len(digits)}"
    )


def _read_name(values: Iterable[str]) -> str | None:
    for value in values:
        # In names, and only there, a plus is a space as on forms: many sites write them so.
        text = _unquote(value.replace("+", " "))
        shown = "".join(char for char in text if char.isprintable()).strip()
        if shown:
            return shown
    return None


def _read_urls(values: Iterable[str]) -> Iterable[str]:
    for value in values:
        url = _unquote(value).strip()
        if _URL.fullmatch(url):
            yield url


def _read_peers(values: Iterable[str]) -> Iterable[PeerAddress]:
    for value in values:
        try:
            yield PeerAddress.parse(_unquote(value))
        except MalformedDataError:
            continue


def _some(values: Iterable[_T], limit: int) -> tuple[_T, ...]:
    """The values without repetitions, in order, and no more than the limit."""
    return tuple(list(dict.fromkeys(values))[:limit])


def _unquote(text: str) -> str:
    """Decode percent-encoding; what is not UTF-8 becomes the character that stands for it."""
    return unquote(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")


def _quote(text: str, safe: frozenset[int] = UNRESERVED) -> str:
    return quote(text.encode("utf-8", "replace"), safe)
