"""What is remembered of one torrent between runs: `torrent:{infohash}:state`.

A bencoded dictionary with a version. What cannot be read of it is as if it had never been said,
save for what nothing goes without; keys of later versions are kept and written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from millstream.errors import MalformedDataError
from millstream.protocol import bencode
from millstream.protocol.bencode import Bencodable, Bencoded
from millstream.protocol.file_selection import FileSelection
from millstream.protocol.magnet import MAX_MAGNET_LENGTH, MAX_TRACKERS
from millstream.storage.claims import Claims
from millstream.storage.placement_record import NOTHING_TO_REMEMBER, PlacementRecord
from millstream.storage.roots import MAX_PATH_LENGTH

STATE_VERSION = 1

# Two bitfields of MAX_PIECES and 16 bytes a file, of which the longest torrent file names five
# million.
MAX_STATE_LENGTH = 128 << 20

# Ours have 16 characters; another's may be anything short.
MAX_TOKEN_LENGTH = 256

# Amounts and times: whatever fits in 63 bits.
MAX_NUMBER = (1 << 63) - 1

# No URL of a tracker is longer; browsers and servers end at 8 KiB and below.
MAX_URL_LENGTH = 8 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeState:
    """One torrent as it was.

    Attributes:
        save_path: the directory under which its files are.
        magnet: the link it was added by, while its metadata is not known.
        claims: what is on the disk; None if nothing is known of that.
        uploaded: payload bytes since it was added.
        downloaded: payload bytes since it was added.
        added_at: seconds since the epoch.
        completed_at: seconds since the epoch; None if it never was complete.
        root: the token of the storage root that its files are under; None if that was not said.
        placement: where files are that are not where the metainfo puts them.
        selection: the files that are wanted, as long as the metadata is not known; None for all.
        priorities: a `FilePriority` for each file, a byte each; empty if all are normal.
        first_last: whether the first and last pieces of files are fetched first.
        auto_managed: whether the queue starts and stops it.
        forced: whether it runs whatever the queue says.
        active_seconds: how long it ran.
        seeding_seconds: how long it seeded.
        max_peers: connections it may have; None for as many as the settings say.
        goals_reached: whether it has seeded enough, and goes on if it is started again.
        goals: what it stops or goes at, as `core.goals` writes it; None for what the settings say.
        stopped: whether the user stopped it.
        sequential: whether pieces are fetched in order.
        observe: whether it stays connected to seeds though it wants nothing of them.
        allow_local: whether its trackers and web seeds may be at addresses that are not global.
        download_limit: bytes a second of its own, or None.
        upload_limit: bytes a second of its own, or None.
        trackers: announce URLs besides the torrent's own.
        unknown: what a later version said.
    """

    save_path: str
    magnet: str | None = None
    claims: Claims | None = None
    uploaded: int = 0
    downloaded: int = 0
    added_at: int = 0
    completed_at: int | None = None
    root: str | None = None
    placement: PlacementRecord = NOTHING_TO_REMEMBER
    selection: FileSelection | None = None
    priorities: bytes = b""
    first_last: bool = False
    auto_managed: bool = True
    forced: bool = False
    active_seconds: int = 0
    seeding_seconds: int = 0
    max_peers: int | None = None
    goals: Mapping[bytes, Bencoded] | None = None
    goals_reached: bool = False
    stopped: bool = False
    sequential: bool = False
    observe: bool = False
    allow_local: bool = False
    download_limit: int | None = None
    upload_limit: int | None = None
    trackers: tuple[str, ...] = ()
    unknown: Mapping[bytes, Bencoded] = field(default_factory=dict)

    def encode(self) -> bytes:
        """What `decode` reads."""
        numbers = {
            b"uploaded": self.uploaded,
            b"downloaded": self.downloaded,
            b"added at": self.added_at,
            b"completed at": self.completed_at,
            b"download limit": self.download_limit,
            b"upload limit": self.upload_limit,
            b"max peers": self.max_peers,
            b"active seconds": self.active_seconds or None,
            b"seeding seconds": self.seeding_seconds or None,
        }
        said: dict[bytes, Bencodable] = {
            **self.unknown,
            **{key: number for key, number in numbers.items() if number is not None},
            b"version": STATE_VERSION,
            b"save path": _encoded(self.save_path),
            b"stopped": int(self.stopped),
            b"sequential": int(self.sequential),
            b"observe": int(self.observe),
            b"allow local": int(self.allow_local),
            b"first last": int(self.first_last),
            b"auto managed": int(self.auto_managed),
            b"forced": int(self.forced),
            b"goals reached": int(self.goals_reached),
        }
        if self.root is not None:
            said[b"root"] = _encoded(self.root)
        if placement := self.placement.encode():
            said[b"placement"] = placement
        if self.priorities:
            said[b"priorities"] = self.priorities
        if self.goals is not None:
            said[b"goals"] = dict(self.goals)
        if self.magnet is not None:
            said[b"magnet"] = _encoded(self.magnet)
        if self.claims is not None:
            said[b"claims"] = self.claims.encode()
        if self.selection is not None:
            said[b"selection"] = str(self.selection).encode()
        if self.trackers:
            said[b"trackers"] = [_encoded(url) for url in self.trackers]
        return bencode.encode(said)

    @classmethod
    def decode(cls, data: bytes) -> ResumeState:
        """Read a state.

        Raises:
            MalformedDataError: it is no state, or it was written by a later version that means
                other things by the same words, or it says not where the files are.
        """
        if len(data) > MAX_STATE_LENGTH:
            raise MalformedDataError(f"the state has {len(data)} bytes, over {MAX_STATE_LENGTH}")
        said = bencode.decode(data)
        if not isinstance(said, dict):
            raise MalformedDataError("the state is no dictionary")
        version = said.get(b"version")
        if version != STATE_VERSION:
            raise MalformedDataError(f"the state has version {version!r}, not {STATE_VERSION}")
        save_path = _text(said, b"save path", MAX_PATH_LENGTH)
        if not save_path:
            raise MalformedDataError("the state has no save path")
        return cls(
            save_path=save_path,
            magnet=_text(said, b"magnet", MAX_MAGNET_LENGTH),
            claims=Claims.decode(said.get(b"claims")),
            uploaded=_number(said, b"uploaded") or 0,
            downloaded=_number(said, b"downloaded") or 0,
            added_at=_number(said, b"added at") or 0,
            completed_at=_number(said, b"completed at"),
            selection=_selection(said.get(b"selection")),
            root=_text(said, b"root", MAX_TOKEN_LENGTH),
            placement=PlacementRecord.decode(said.get(b"placement")),
            priorities=_bytes(said.get(b"priorities")),
            first_last=bool(_number(said, b"first last")),
            auto_managed=_number(said, b"auto managed") != 0,
            forced=bool(_number(said, b"forced")),
            active_seconds=_number(said, b"active seconds") or 0,
            seeding_seconds=_number(said, b"seeding seconds") or 0,
            max_peers=_number(said, b"max peers"),
            goals_reached=bool(_number(said, b"goals reached")),
            goals=_dictionary(said.get(b"goals")),
            stopped=bool(_number(said, b"stopped")),
            sequential=bool(_number(said, b"sequential")),
            observe=bool(_number(said, b"observe")),
            allow_local=bool(_number(said, b"allow local")),
            download_limit=_number(said, b"download limit"),
            upload_limit=_number(said, b"upload limit"),
            trackers=_trackers(said.get(b"trackers")),
            unknown={key: value for key, value in said.items() if key not in _KNOWN},
        )


_KNOWN = {
    *(b"version", b"save path", b"magnet", b"claims", b"uploaded", b"downloaded", b"added at"),
    *(b"completed at", b"selection", b"stopped", b"sequential", b"observe", b"allow local"),
    *(b"download limit", b"upload limit", b"trackers", b"root", b"placement", b"priorities"),
    *(b"first last", b"auto managed", b"forced", b"active seconds", b"seeding seconds"),
    *(b"max peers", b"goals", b"goals reached"),
}


def _encoded(text: str) -> bytes:
    # A path that is no UTF-8 has surrogates in place of what is not.
    return text.encode("utf-8", "surrogateescape")


def _decoded(value: Bencoded | None, most: int) -> str | None:
    if not isinstance(value, bytes) or len(value) > most or b"\0" in value:
        return None
    return value.decode("utf-8", "surrogateescape")


def _text(said: dict[bytes, Bencoded], key: bytes, most: int) -> str | None:
    return _decoded(said.get(key), most)


def _number(said: dict[bytes, Bencoded], key: bytes) -> int | None:
    value = said.get(key)
    return value if isinstance(value, int) and 0 <= value <= MAX_NUMBER else None


def _bytes(value: Bencoded | None) -> bytes:
    return value if isinstance(value, bytes) else b""


def _dictionary(value: Bencoded | None) -> Mapping[bytes, Bencoded] | None:
    return value if isinstance(value, dict) else None


def _selection(value: Bencoded | None) -> FileSelection | None:
    if value == b"":
        return FileSelection(())
    try:
        return FileSelection.parse(value.decode("ascii")) if isinstance(value, bytes) else None
    except (UnicodeDecodeError, MalformedDataError):
        return None


def _trackers(value: Bencoded | None) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    urls = [_decoded(url, MAX_URL_LENGTH) for url in value[:MAX_TRACKERS]]
    return tuple([url for url in urls if url])
