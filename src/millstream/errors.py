"""Every error Millstream raises, under one root.

```
MillstreamError
├── ProtocolError
│   ├── RemoteProtocolError     the peer sent what the protocol forbids: drop the peer
│   └── LocalProtocolError      we asked for what the protocol forbids: a bug of ours or the caller's
├── MalformedDataError          bytes that are not what they claim to be
│   ├── BencodeError            not bencoded, or not strictly
│   ├── MalformedTorrentError   bencoded, but no usable metainfo
│   ├── MalformedMagnetError    no usable magnet link
│   └── MalformedFrameError     no message of the io-daemon's wire
├── StorageError                a path could not be read or written; names the path and the cause
│   └── UnfinishedMoveError     files are partly at the old place and partly at the new one
│   ├── RootUnavailableError    a storage root's disk or directory is not there
│   └── NoSpaceError            a storage root has no room for what is to come
├── NetworkError                a connection or a listening port could not be had
│   ├── HttpError               a URL could not be fetched
│   ├── TrackerError            a tracker refused, or answered nonsense
│   └── ControlError            no daemon answers, or it refused a request
├── ConfigError                 a setting is out of its documented range
└── EngineError                 the engine cannot do this now
    ├── DuplicateTorrentError   the torrent is in the engine already
    ├── EngineClosedError       the engine was closed or not started
    │   └── TorrentRemovedError     the torrent was removed from it
    ├── MetadataPendingError    a magnet's files and pieces are not known yet
    ├── InternalError           Millstream made a mistake: the log has it whole
    └── TorrentFailedError      the torrent stopped in its error state
```

"More bytes are needed" is never an error; a decoder says so by waiting. Any other exception out of
`millstream.protocol`, on any input, is a bug.
"""

from __future__ import annotations

import errno as _errno


class MillstreamError(Exception):
    """The root of every error raised by Millstream on purpose."""


class ProtocolError(MillstreamError):
    """The peer wire protocol was broken by one side or the other."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol; the message says how and becomes the reason for the drop."""


class LocalProtocolError(ProtocolError):
    """Our side asked for something the protocol forbids."""


class MalformedDataError(MillstreamError):
    """Bytes are not what they claim to be."""


class BencodeError(MalformedDataError):
    """The bytes are not strictly bencoded (BEP 3), or exceed a limit."""


class MalformedTorrentError(MalformedDataError):
    """The metainfo lacks something, contradicts itself, or exceeds a limit."""


class MalformedMagnetError(MalformedDataError):
    """The magnet link names no torrent, contradicts itself, or exceeds a limit."""


class MalformedFrameError(MalformedDataError):
    """A message between an engine and its io-daemon ends too soon, lies, or exceeds a limit."""


class StorageError(MillstreamError):
    """A path could not be used.

    Attributes:
        path: the path concerned, as a user would recognise it.
        cause: what the system said, in words.
        errno: the system's number for it, if it gave one.
    """

    def __init__(self, path: str, cause: str, errno: int | None = None) -> None:
        super().__init__(f"{path}: {cause}")
        self.path = path
        self.cause = cause
        self.errno = errno


class RootUnavailableError(StorageError):
    """A storage root is not there: its disk is not mounted, for one. It may come back.

    Attributes:
        label: the root's name.
        why: what is the matter.
    """

    def __init__(self, label: str, path: str, why: str, errno: int | None = None) -> None:
        super().__init__(path, f"the storage root {label!r} is not available: {why}", errno)
        self.label = label
        self.why = why


class NoSpaceError(StorageError):
    """A storage root has too little room.

    Attributes:
        label: the root's name.
        needed: bytes that have to be free.
        free: bytes that are.
    """

    def __init__(self, label: str, path: str, needed: int, free: int) -> None:
        cause = f"the storage root {label!r} needs {needed:,} free bytes and has {free:,}"
        super().__init__(path, cause, _errno.ENOSPC)
        self.label = label
        self.needed = needed
        self.free = free


class UnfinishedMoveError(StorageError):
    """A move failed, and so did taking it back: files are at both places, each whole at one."""


class NetworkError(MillstreamError):
    """A connection or a listening port could not be had."""


class HttpError(NetworkError):
    """A URL could not be fetched; the message names the host and the cause."""


class TrackerError(NetworkError):
    """A tracker refused the announce, or its answer makes no sense; the message says which.

    Attributes:
        retry_in: seconds after which the tracker may be asked again (BEP 31); infinite for never,
            None if it did not say.
    """

    def __init__(self, message: str, retry_in: float | None = None) -> None:
        super().__init__(message)
        self.retry_in = retry_in


class ControlError(NetworkError):
    """A daemon does not answer, or refused a request; the message says which and why.

    Attributes:
        status: of HTTP; None if there was no answer.
        code: the daemon's word for it, such as `TorrentNotFound`; empty if there is none.
    """

    def __init__(self, message: str, status: int | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ConfigError(MillstreamError):
    """A setting is out of its documented range."""


class EngineError(MillstreamError):
    """The engine cannot do what was asked in its present state."""


class DuplicateTorrentError(EngineError):
    """The torrent is in the engine already."""


class EngineClosedError(EngineError):
    """The engine is not running, or the torrent is in it no more."""


class TorrentRemovedError(EngineClosedError):
    """The torrent was removed while something was asked of it.

    Who waits for a torrent catches EngineClosedError, in whichever way it left the engine.
    """


class MetadataPendingError(EngineError):
    """The torrent's files and pieces are not known yet: a magnet that fetches its metadata."""


class InternalError(EngineError):
    """Something in Millstream is wrong; the message names it, and the log says where it was."""


class TorrentFailedError(EngineError):
    """The torrent stopped in its error state; the message names the path and the cause."""
