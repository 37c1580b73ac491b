"""A small internet inside the kernel: hosts as network namespaces on one bridge.

Foreign clients refuse loopback peers, want fixed ports, or take one address for one peer, so each
gets a host of its own. Nothing is connected to the machine's network: no packet gets out, and
several test runs may use the same addresses at the same time.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PREFIX = "millstream"  # of the namespaces' names: PREFIX-pid-name, so that stale ones are found
NETWORK = "10.77.0"
NAMESPACES = Path("/run/netns")
CLONE_NEWNET = 0x40000000
LEAVE_SECONDS = 3.0
CONNECT_SECONDS = 5.0

_libc = ctypes.CDLL(None, use_errno=True)


def ip(*arguments: str) -> str:
    """Run `ip` of iproute2; what it printed."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def why_not() -> str:
    """Why namespaces cannot be made here; empty if they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    name = f"{PREFIX}-{os.getpid()}-probe"
    try:
        ip("netns", "add", name)
        try:
            ip("-n", name, "link", "add", "br0", "type", "bridge")
            ip("-n", name, "link", "add", "v0", "type", "veth", "peer", "name", "v1")
            ip("netns", "exec", name, "true")
        finally:
            ip("netns", "del", name)
    except OSError as error:
        return f"network namespaces cannot be made: {error}"
    return ""


def remove_stale() -> None:
    """Remove what killed runs left: namespaces whose process is gone, and all that runs inside."""
    for path in NAMESPACES.glob(f"{PREFIX}-*"):
        pid = path.name.split("-")[1]
        if pid.isdigit() and not Path("/proc", pid).exists():
            remove_namespace(path.name)


def remove_namespace(name: str) -> None:
    """End all processes in a namespace, and the namespace; another may do so at the same time."""
    with contextlib.suppress(OSError):
        for pid in ip("netns", "pids", name).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        ip("netns", "del", name)


class Host:
    """A host: a namespace, one address, and the programs started there.

    Args:
        name: of the namespace.
        address: on the bridge.
    """

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self._running: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        command: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a program; what it prints goes to the end of `log`."""
        with log.open("ab") as output:
            program = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=log.parent,
                start_new_session=True,
            )
        self._running.append(program)
        return program

    def connect(self, port: int, address: str = "127.0.0.1") -> socket.socket:
        """A TCP connection made from inside; a socket stays in the namespace that it began in."""

        def enter_and_connect() -> socket.socket:
            with (NAMESPACES / self.name).open("rb") as namespace:
                if _libc.setns(namespace.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"setns to {self.name}")
            return socket.create_connection((address, port), timeout=CONNECT_SECONDS)

        # Namespaces belong to threads: this one is left behind there.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(enter_and_connect).result()

    def close(self) -> None:
        """Stop what runs here, politely first, and remove the namespace."""
        for program in self._running:
            stop(program)
        remove_namespace(self.name)


class Internet:
    """A bridge, and hosts on it that see nothing else."""

    def __init__(self) -> None:
        remove_stale()
        self._numbers = itertools.count(1)
        self._hosts: list[Host] = []
        self._switch = f"{PREFIX}-{os.getpid()}-switch"
        ip("netns", "add", self._switch)
        ip("-n", self._switch, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        ip("-n", self._switch, "link", "set", "br0", "up")

    def host(self, label: str) -> Host:
        """A new host; the label is for people who look at `ip netns`."""
        number = next(self._numbers)
        name = f"{PREFIX}-{os.getpid()}-{number}-{label}"
        # 10.77.0.1 and up: more than 250 hosts go on in 10.77.1.
        address = f"{NETWORK.rsplit('.', 1)[0]}.{number // 250}.{number % 250 + 1}"
        port = f"port{number}"
        ip("netns", "add", name)
        host = Host(name, address)
        self._hosts.append(host)
        ip("-n", self._switch, "link", "add", port, "type", "veth", "peer", "eth0", "netns", name)
        ip("-n", self._switch, "link", "set", port, "master", "br0", "up")
        ip("-n", name, "address", "add", f"{address}/16", "brd", "+", "dev", "eth0")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "set", "eth0", "up")
        # Leads nowhere, but some clients choose their address by the default route.
        ip("-n", name, "route", "add", "default", "dev", "eth0")
        return host

    def remove(self, hosts: Sequence[Host]) -> None:
        """Stop and remove these hosts."""
        for host in hosts:
            with contextlib.suppress(ValueError):
                self._hosts.remove(host)
            host.close()

    def close(self) -> None:
        """Remove everything; may be called again."""
        self.remove(list(self._hosts))
        remove_namespace(self._switch)


def stop(program: subprocess.Popen[bytes]) -> None:
    """End a program: SIGTERM, and SIGKILL for who does not listen."""
    if program.poll() is None:
        program.terminate()
    try:
        program.wait(LEAVE_SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def until(condition: Callable[[], bool], seconds: float, interval: float = 0.05) -> bool:
    """Poll; whether the condition came to hold in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(interval)
    return True
