from __future__ import annotations

import random

from millstream.adapters.memory import MemoryCryptography
from millstream.protocol.rc4 import Rc4


def test_it_is_the_same_every_time():
    one, other = (MemoryCryptography(random.Random(3)) for _ in range(2))
    assert one.random_bytes(30) == other.random_bytes(30)
    assert one.random_bytes(30) == other.random_bytes(30)


def test_rc4_needs_no_package():
    assert isinstance(MemoryCryptography(random.Random(0)).rc4(b"key"), Rc4)
