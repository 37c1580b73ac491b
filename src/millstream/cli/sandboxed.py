"""`download --sandboxed`: a download that has given up files and network before it meets a peer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from millstream.cli.running import run
from millstream.cli.torrent_source import read_source

if TYPE_CHECKING:
    from millstream import Engine, EngineConfig, Magnet, Metainfo
    from millstream.cli.display import Display
    from millstream.cli.lending import Lent
    from millstream.sandbox.giving_up import SandboxReport


class Sandbox(NamedTuple):
    """This process, in which nothing can be opened any more.

    Attributes:
        source: what to download, read before.
        lent: the way to the io-daemon.
        report: what holds.
    """

    source: Metainfo | Magnet
    lent: Lent
    report: SandboxReport

    def engine(self, config: EngineConfig) -> Engine:
        """An engine that works in here."""
        from millstream.cli.lending import ROOT_TOKEN
        from millstream.presets.sandboxed import create_sandboxed_engine
        from millstream.storage.roots import StorageRoot

        root = StorageRoot(ROOT_TOKEN, "download", ROOT_TOKEN)
        return create_sandboxed_engine(
            config, self.lent.connected, token=self.lent.token, root=root
        )

    def tell(self, display: Display) -> None:
        """Say what holds, and what does not."""
        report = self.report
        by = [] if report.landlock is None else [f"Landlock {report.landlock}"]
        by += ["seccomp"] if report.seccomp else []
        means = " and ".join(by) or "nothing"
        if report.is_whole:
            sentence = f"Sandboxed by {means}: the engine can open no file, socket or program."
        else:
            possible = ", ".join(report.possible)
            reasons = f" ({'; '.join(report.reasons)})" if report.reasons else ""
            sentence = f"Sandboxed by {means}{reasons}. The engine could still: {possible}."
        display.event(
            "sandboxed",
            sentence,
            good=report.is_whole,
            whole=report.is_whole,
            landlock=report.landlock,
            seccomp=report.seccomp,
            refused=report.refused,
            possible=report.possible,
            reasons=report.reasons,
        )


def enter_sandbox(source: str, save_path: Path) -> Sandbox:
    """Read the source, start an io-daemon for the directory, and give up everything else.

    There is no way back. Call it before anything has started a thread.

    Raises:
        CommandError: the source is none, or the io-daemon does not start.
        HttpError: a URL cannot be fetched.
        OSError: the directory cannot be made.
    """
    from millstream.cli.lending import lend_directory
    from millstream.presets.sandboxed import MODULES
    from millstream.sandbox.giving_up import give_up
    from millstream.sandbox.preloading import preload

    read = run(lambda: read_source(source))
    preload([*MODULES, "millstream.cli", "millstream.presets.sandboxed", "rich"])
    lent = lend_directory(save_path)
    return Sandbox(read, lent, give_up())
