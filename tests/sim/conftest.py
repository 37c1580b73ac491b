from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage collection: looking through a million live objects again and again takes a seventh
    of the time that hundreds of engines take, and finds nothing.
    """
    gc.disable()
    yield
    gc.enable()
    gc.collect()
