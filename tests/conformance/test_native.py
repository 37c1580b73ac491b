"""The native adapter against the conformance suites: real sockets, files and threads."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import SkipTest

import pytest

from millstream.adapters.native import (
    NativeCryptography,
    NativeDiskQueue,
    NativeFileSystem,
    NativeNetwork,
)
from millstream.errors import StorageError
from millstream.interfaces.disk import DiskConfig
from millstream.interfaces.filesystem import FileStat
from millstream.protocol.rc4 import Rc4
from millstream.testing import (
    CryptographyConformance,
    DiskQueueConformance,
    DiskUnderTest,
    FileSystemConformance,
    FileSystemUnderTest,
    NetworkConformance,
    NetworkUnderTest,
)

# On Linux a file system of its own, so that files can go from one to another.
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


def has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class TestNativeNetwork(NetworkConformance):
    @asynccontextmanager
    async def open_network(self, *, ipv6: bool = False) -> AsyncIterator[NetworkUnderTest]:
        if ipv6 and not has_ipv6_loopback():
            raise SkipTest("this machine has no IPv6 loopback")
        network = NativeNetwork()
        yield NetworkUnderTest(network, network, "::1" if ipv6 else "127.0.0.1")


@contextmanager
def another_disk(path: Path) -> Iterator[str | None]:
    """A directory that is on another disk than the path, if there is one."""
    if not SHARED_MEMORY.is_dir() or SHARED_MEMORY.stat().st_dev == path.stat().st_dev:
        yield None
        return
    with TemporaryDirectory(dir=SHARED_MEMORY) as apart:
        yield apart


class InDirectory:
    """Files under pytest's temporary directory."""

    @pytest.fixture(autouse=True)
    def _make_root(self, tmp_path: Path) -> None:
        self.path = tmp_path / "root"
        self.path.mkdir()

    def put(self, path: str, data: bytes) -> None:
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(data)

    def get(self, path: str) -> bytes | None:
        file = self.path / path
        return file.read_bytes() if file.is_file() else None


class TestNativeFileSystem(InDirectory, FileSystemConformance):
    @asynccontextmanager
    async def open_filesystem(self) -> AsyncIterator[FileSystemUnderTest]:
        with another_disk(self.path) as apart:
            yield FileSystemUnderTest(NativeFileSystem(), str(self.path), self.put, self.get, apart)

    async def test_a_file_that_cannot_be_flushed_is_told_in_its_place(self) -> None:
        async with self.open_filesystem() as place:
            place.put("a", b"1")
            found, failure, nothing = await place.files.sync(place.root, ["a", "b" * 300, "c"])
            assert isinstance(found, FileStat)
            assert isinstance(failure, StorageError)
            assert failure.errno == errno.ENAMETOOLONG
            assert failure.path == f"{place.root}/{'b' * 300}"
            assert nothing is None


class TestNativeDiskQueue(InDirectory, DiskQueueConformance):
    @asynccontextmanager
    async def open_disk(self, config: DiskConfig) -> AsyncIterator[DiskUnderTest]:
        yield DiskUnderTest(NativeDiskQueue(config), str(self.path), self.put, self.get)


class TestNativeCryptography(CryptographyConformance):
    def make_cryptography(self) -> NativeCryptography:
        return NativeCryptography()


class TestCryptographyWithoutOpenssl(CryptographyConformance):
    """The package is not there, as in a browser: then it is slow, but it works."""

    @pytest.fixture(autouse=True)
    def _hide_openssl(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "millstream.adapters.native.openssl_rc4", None)

    def make_cryptography(self) -> NativeCryptography:
        cryptography = NativeCryptography()
        assert isinstance(cryptography.rc4(b"12345"), Rc4)
        return cryptography
