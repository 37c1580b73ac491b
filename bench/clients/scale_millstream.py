"""Ten thousand idle torrents, added by a program that uses the library with its default settings.

    python -m bench.clients.scale_millstream TORRENTS DIRECTORY SESSION IDLE_SECONDS

`scale_libtorrent` takes the same arguments and reports the same values.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import millstream
from bench.clients.runner_link import die_with_run, report
from bench.usage import resident

CONFIG = millstream.EngineConfig(
    network=millstream.NetworkConfig(listen_hosts=("127.0.0.1",)),
)


async def main(torrents: str, directory: str, session: str, idle: str) -> None:
    paths = sorted(Path(torrents).iterdir())  # noqa: ASYNC240 - nothing else runs
    engine = millstream.create_native_engine(CONFIG, save_path=directory, session=session)
    async with engine:
        before = resident()
        begun, used = time.perf_counter(), time.process_time()
        for path in paths:
            await engine.add(path, seed_mode=True)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - used
        await engine.save_session()
        # What is done once for each, a look at its files for one, is over by then.
        await asyncio.sleep(5)
        memory = resident() - before
        begun, used = time.perf_counter(), time.process_time()
        await asyncio.sleep(float(idle))
        busy = (time.process_time() - used) / (time.perf_counter() - begun)
        report(add=seconds, add_cpu=cpu, memory=memory / len(paths), idle=busy)


if __name__ == "__main__":
    die_with_run()
    asyncio.run(main(*sys.argv[1:]))
