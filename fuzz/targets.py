"""All targets."""

from __future__ import annotations

from . import daemon_http, encryption, formats, io_wire, native_host, peers, records, trackers
from .target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        *formats.TARGETS,
        *peers.TARGETS,
        *encryption.TARGETS,
        *trackers.TARGETS,
        *records.TARGETS,
        *io_wire.TARGETS,
        *daemon_http.TARGETS,
        *native_host.TARGETS,
    )
}
