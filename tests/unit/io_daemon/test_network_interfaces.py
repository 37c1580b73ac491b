from __future__ import annotations

import sys

from millstream.io_daemon.network_interfaces import network_interfaces


def test_loopback_is_there():
    found = {each["address"]: each for each in network_interfaces()}
    assert found["127.0.0.1"] == {"name": "lo", "address": "127.0.0.1", "prefixLength": 8}


def test_elsewhere_there_are_none(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert network_interfaces() == []
