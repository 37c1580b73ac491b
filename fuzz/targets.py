"""All targets."""

from __future__ import annotations

from . import encryption, formats, io_wire, native_host, peers, records, trackers
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
        *native_host.TARGETS,
    )
}
