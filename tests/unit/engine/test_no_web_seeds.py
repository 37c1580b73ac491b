import inspect

import pytest

from millstream.engine.no_web_seeds import NO_WEB_SEEDS, NoWebSeeds
from millstream.engine.web_seeding import WebSeeding
from millstream.protocol.compact import PeerAddress
from millstream.protocol.metainfo import Metainfo
from millstream.testing import run_virtual
from millstream.testing.content import layout_of, single_file_torrent


def public(cls):
    return {name for name in vars(cls) if not name.startswith("_")}


def none_of_them():
    """What has web seeds, for a torrent that has none."""
    metainfo = Metainfo.parse(single_file_torrent("t", b"data", 4))
    layout = layout_of(("t", 4), piece_length=4)
    return WebSeeding(
        metainfo, layout, None, None, None, None,
        allow_local=False, next_connection=None, wake=None, journal=None,
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(public(NoWebSeeds)))
def test_it_is_as_if_there_were_web_seeds_but_none_of_them(name):
    some = getattr(none_of_them(), name)
    none = getattr(NO_WEB_SEEDS, name)
    if not inspect.ismethod(none):
        assert none == some
        return
    assert inspect.signature(none) == inspect.signature(some)
    values = {"now": 5.0, "reason": "why", "identity": PeerAddress("192.0.2.1", 80)}
    arguments = [values[name] for name in inspect.signature(none).parameters]
    if inspect.iscoroutinefunction(none):
        assert run_virtual(none(*arguments)) is None
        assert run_virtual(some(*arguments)) is None
    else:
        assert none(*arguments) == some(*arguments)
