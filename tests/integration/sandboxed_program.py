"""`millstream` with a witness inside: what the process asks for once it is sandboxed, and may not have.

Its last line on stderr is JSON: what the interpreter saw it open after it had given up, and what
became of attempts made from within, in the middle of the download.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from millstream.cli import download, main
from millstream.sandbox import giving_up
from millstream.sandbox.attempts import refused_attempts

OPENING = {
    *("open", "import", "os.listdir", "os.scandir", "subprocess.Popen", "os.posix_spawn"),
    *("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"),
}

seen: list[str] = []
attempts: dict[str, str] = {}
watching = threading.Event()
give_up = giving_up.give_up


def witness(event: str, arguments: tuple[object, ...]) -> None:
    if watching.is_set() and event in OPENING:
        seen.append(f"{event} {arguments!r}"[:200])


def give_up_and_watch() -> giving_up.SandboxReport:
    report = give_up()
    watching.set()
    return report


def outcome(attempt: object) -> str:
    try:
        result = attempt()  # type: ignore[operator]
    except OSError as error:
        return type(error).__name__
    return f"it worked: {result!r}"[:100]


def raw(number: int, *arguments: object) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    result: int = library.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "raw")
    return result


def try_everything() -> None:
    watching.clear()
    here = str(Path(sys.argv[-1]).absolute())
    own = {
        "the torrent's own file": lambda: os.open(here, os.O_RDONLY),
        "its directory": lambda: os.open(os.path.dirname(here), os.O_DIRECTORY),  # noqa: PTH120
        "a file beside it": lambda: os.open(f"{here}.x", os.O_CREAT | os.O_WRONLY),
        "a file without a name": lambda: os.open("/tmp", os.O_TMPFILE | os.O_RDWR),  # noqa: S108
        "its own memory": lambda: os.open("/proc/self/mem", os.O_RDWR),
        "what is open already, anew": lambda: os.open("/dev/fd/0", os.O_RDONLY),
        "removing it": lambda: os.unlink(here),  # noqa: PTH108
        "renaming it": lambda: os.rename(here, f"{here}.x"),  # noqa: PTH104
        "emptying it": lambda: os.truncate(here, 0),
        "linking it": lambda: os.link(here, f"{here}.x"),
        "its mode": lambda: os.chmod(here, 0o777),  # noqa: PTH101, S103
        "a FIFO": lambda: os.mkfifo(f"{here}.fifo"),
        "a directory": lambda: os.mkdir(f"{here}.d"),  # noqa: PTH102
        "an IPv6 socket": lambda: socket.socket(socket.AF_INET6),
        "a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
        "a netlink socket": lambda: socket.socket(socket.AF_NETLINK),
        "an abstract socket": lambda: socket.socket(socket.AF_UNIX).connect("\0x"),
        "a name's address": lambda: socket.getaddrinfo("localhost.example", 80),
        "a program": lambda: subprocess.run(["/bin/true"], check=False),
        "another process": lambda: os.kill(os.getppid(), 0),
    }
    if os.uname().machine == "x86_64":
        path = ctypes.c_char_p(here.encode())
        own |= {
            "open(2) itself": lambda: raw(2, path, 0, 0),
            "openat2(2)": lambda: raw(437, -100, path, ctypes.create_string_buffer(24), 24),
            "io_uring_setup(2)": lambda: raw(425, 1, ctypes.create_string_buffer(120)),
            "open_by_handle_at(2)": lambda: raw(304, -100, path, 0),
            "a call that is not known yet": lambda: raw(900, 0),
            "open(2) of x32": lambda: raw(0x40000000 + 2, path, 0, 0),
            "ptrace(2)": lambda: raw(101, 16, os.getppid(), 0, 0),
            "typing into the terminal": lambda: raw(16, 0, 0x5412, ctypes.c_char_p(b"x")),
        }
    for name, attempt in own.items():
        attempts[name] = outcome(attempt)

    # Threads that were started later are no way out.
    thread = threading.Thread(target=lambda: attempts.update(thread=outcome(own["its directory"])))
    thread.start()
    thread.join()
    attempts["all of the program's own"] = str(len(refused_attempts()))
    watching.set()


giving_up.give_up = give_up_and_watch
until_complete = download.Download._until_complete


async def witnessed(self: download.Download, *arguments: object) -> None:
    working = asyncio.ensure_future(until_complete(self, *arguments))  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    try_everything()
    await working


download.Download._until_complete = witnessed  # type: ignore[method-assign, assignment]
sys.addaudithook(witness)
code = 1
try:
    code = main(sys.argv[1:-1])
finally:
    watching.clear()
    sys.stderr.write(json.dumps({"seen": seen, "attempts": attempts}) + "\n")
sys.exit(code)
