"""The native host as the process that a browser starts: its pipes, its daemon, its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from millstream.logging.component_logger import component_logger
from millstream.native_host.conversation import converse
from millstream.native_host.daemon_process import DaemonProcess
from millstream.native_host.desktop import Desktop
from millstream.native_host.framing import encode_message
from millstream.native_host.host import NativeHost
from millstream.native_host.link_server import LinkServer
from millstream.native_host.rpc_info_file import RpcInfoFile, info_directory
from millstream.native_host.stdio import StandardPipe, take_standard_streams

_CHROME_ORIGIN = "chrome-extension://"

_LOG = component_logger("native_host")


def caller_of(arguments: Sequence[str]) -> str | None:
    """The id of the extension for which a browser started us; None if nobody says so.

    Args:
        arguments: Chrome gives the extension's origin first, Firefox the manifest's path and then
            the extension's id.
    """
    if not arguments:
        return None
    if arguments[0].startswith(_CHROME_ORIGIN):
        return arguments[0].removeprefix(_CHROME_ORIGIN).rstrip("/")
    if len(arguments) > 1 and arguments[0].endswith(".json"):
        return arguments[1]
    return None


async def serve(arguments: Sequence[str], origins: Sequence[str], version: str) -> None:
    """Answer the browser until it hangs up; the io-daemon ends with us.

    Args:
        arguments: what the browser started us with.
        origins: sites that may ask the io-daemon, besides the extension.
        version: of Millstream, for the extension.

    Raises:
        BrokenFrameError: the browser's words make no sense.
    """
    reading, writing = take_standard_streams()
    file = RpcInfoFile(info_directory(os.environ, sys.platform))
    daemon = DaemonProcess(file.path, origins)
    caller = caller_of(arguments)
    pipe = StandardPipe(reading, writing)

    async def tell(event: dict[str, object]) -> None:
        await pipe.write(encode_message(event))

    links = LinkServer(tell)
    host = NativeHost(file, daemon, Desktop(os.environ), links, version=version, caller=caller)
    _LOG.info("a browser asks, for %s", caller or "an extension that it does not name")
    try:
        await converse(pipe, host.answer)
    finally:
        await links.stop()
        await daemon.stop()
