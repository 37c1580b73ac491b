from __future__ import annotations

import pytest
import typer

from millstream.cli.swarm_options import read_swarm_options
from millstream.engine.config import Encryption
from millstream.protocol.compact import PeerAddress


def test_nothing_given_is_the_defaults():
    options = read_swarm_options()
    assert (list(options.peers), list(options.trackers)) == ([], [])
    assert options.config.encryption.policy is Encryption.PREFER
    assert options.config.swarm.pex
    assert not options.config.trackers.allow_local


def test_everything_given():
    options = read_swarm_options(
        peer=["192.0.2.7:6881"],
        tracker=["udp://tracker.example:6969", "https://t.example/announce"],
        port=6881,
        limit_down="2M",
        limit_up="500K",
        encryption="require",
        allow_local=True,
        no_pex=True,
    )
    assert options.peers == [PeerAddress("192.0.2.7", 6881)]
    assert options.trackers == ("udp://tracker.example:6969", "https://t.example/announce")
    assert options.config.network.listen_port == 6881
    assert (options.config.limits.download, options.config.limits.upload) == (2 << 20, 500 << 10)
    assert options.config.encryption.policy is Encryption.REQUIRE
    assert options.config.trackers.allow_local
    assert not options.config.swarm.pex


@pytest.mark.parametrize("url", ["tracker.example", "ws://tracker.example", "udp://"])
def test_no_url_of_a_tracker(url):
    with pytest.raises(typer.BadParameter, match="begins with http://") as caught:
        read_swarm_options(tracker=[url])
    assert caught.value.param_hint == "'--tracker'"


def test_options_are_over_the_settings_of_the_user(monkeypatch, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("[limits]\ndownload = 5000\nupload = 6000\n[swarm]\npex = false\n")
    monkeypatch.setenv("MILLSTREAM_CONFIG", str(file))
    monkeypatch.setenv("MILLSTREAM_NETWORK_LISTEN_PORT", "6881")
    config = read_swarm_options().config
    assert (config.limits.download, config.swarm.pex) == (5000, False)
    assert config.network.listen_port == 6881
    config = read_swarm_options(limit_down="none", no_pex=False, port=0).config
    assert (config.limits.download, config.limits.upload) == (None, 6000)
    assert config.swarm.pex
    assert config.network.listen_port == 0
