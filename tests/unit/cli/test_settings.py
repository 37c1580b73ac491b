from __future__ import annotations

from millstream.cli.settings import engine_config
from millstream.core.limits_config import LimitsConfig
from millstream.engine.config import Encryption
from millstream.interfaces.disk import Allocation


def test_any_free_port_unless_one_is_named():
    assert engine_config(port=None).network.listen_port == 0
    assert engine_config(port=6881).network.listen_port == 6881


def test_files_are_sparse_unless_their_room_is_asked_for():
    assert engine_config(port=0).disk.allocation is Allocation.SPARSE
    assert engine_config(port=0, preallocate=True).disk.allocation is Allocation.FULL


def test_nothing_is_limited_unless_asked_for():
    assert engine_config(port=0).limits == LimitsConfig()
    limits = LimitsConfig(upload=5000)
    assert engine_config(port=0, limits=limits).limits is limits


def test_the_swarm_is_met_as_the_library_would_unless_asked_otherwise():
    config = engine_config(port=0)
    assert config.encryption.policy is Encryption.PREFER
    assert (config.swarm.pex, config.trackers.allow_local) == (True, False)
    config = engine_config(port=0, encryption="disable", pex=False, allow_local=True)
    assert config.encryption.policy is Encryption.DISABLE
    assert (config.swarm.pex, config.trackers.allow_local) == (False, True)
