from __future__ import annotations

import pytest
from fakes import pieces

from millstream.core.file_priority import PiecePriorities
from millstream.core.need import Need


def test_everything_is_needed_at_first_and_nothing_comes_before_the_rest():
    need = Need(4)
    assert need.missing == need.wanted == pieces("****")
    assert need.classes == ()
    assert not need.has_everything


def test_what_is_wanted_and_not_there_is_missing():
    need = Need(4)
    need.have = pieces("*   ")
    need.wanted = pieces("** *")
    assert need.missing == pieces(" * *")
    need.have = pieces("** *")
    assert need.missing == 0
    assert not need.has_everything
    need.have = pieces("****")
    assert need.has_everything


def test_some_pieces_are_to_come_first():
    need = Need(4)
    classes = (pieces("  * "), pieces("*  *"))
    need.prefer(PiecePriorities(pieces("* **"), classes))
    assert need.wanted == pieces("* **")
    assert need.classes == classes


@pytest.mark.parametrize("classes", [(), (pieces("** *"),)])
def test_one_class_is_none(classes):
    need = Need(4)
    need.prefer(PiecePriorities(pieces("****"), (pieces("*   "), pieces(" ***"))))
    need.prefer(PiecePriorities(sum(classes), classes))
    assert need.wanted == sum(classes)
    assert need.classes == ()
