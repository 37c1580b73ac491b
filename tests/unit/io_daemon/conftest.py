"""A lent directory, and what is outside of it."""

from __future__ import annotations

import pytest

from millstream.interfaces.disk import DiskConfig
from millstream.io_daemon.disk_batches import DiskBatches
from millstream.io_daemon.lent_files import LentFiles
from millstream.io_daemon.lent_roots import LentRoots
from millstream.storage.roots import StorageRoot


@pytest.fixture
def root(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    directory = tmp_path / "root"
    directory.mkdir()
    (directory / "out").symlink_to("../outside")
    return directory


@pytest.fixture
def roots(root):
    return LentRoots([StorageRoot("r", "R", str(root))])


@pytest.fixture
def files(roots):
    return LentFiles(roots)


@pytest.fixture
async def batches(files, roots):
    batches = DiskBatches(files, roots.get, DiskConfig(workers=2))
    batches.start()
    yield batches
    await batches.close()
