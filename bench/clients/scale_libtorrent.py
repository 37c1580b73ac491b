"""Ten thousand idle torrents in libtorrent: the arguments and reports of `scale_millstream`.

Nothing is saved here: what a client of libtorrent saves, and how, is its own affair.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import libtorrent as lt

from bench.clients.libtorrent_client import SETTINGS, parameters
from bench.clients.runner_link import die_with_run, report
from bench.usage import resident


def main(torrents: str, directory: str, _session: str, idle: str) -> None:
    paths = sorted(Path(torrents).iterdir())
    session = lt.session(SETTINGS)
    time.sleep(0.5)
    before = resident()
    begun, used = time.perf_counter(), time.process_time()
    handles = []
    for path in paths:
        added = parameters(str(path), directory)
        # As from resume data: known to be good.
        added.have_pieces = [True] * added.ti.num_pieces()
        handles.append(session.add_torrent(added))
    while not all(handle.status().is_seeding for handle in handles[-1:]):
        time.sleep(0.01)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    del added
    time.sleep(5)
    seeding = sum(status.is_seeding for status in session.get_torrent_status(lambda _: True))
    if seeding != len(paths):
        raise RuntimeError(f"only {seeding} of {len(paths)} torrents seed")
    memory = resident() - before
    begun, used = time.perf_counter(), time.process_time()
    time.sleep(float(idle))
    busy = (time.process_time() - used) / (time.perf_counter() - begun)
    report(add=seconds, add_cpu=cpu, memory=memory / len(paths), idle=busy)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    die_with_run()
    main(*sys.argv[1:])
