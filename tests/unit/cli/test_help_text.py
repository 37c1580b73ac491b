from __future__ import annotations

from millstream.cli.help_text import paragraphs


def command() -> None:
    """One sentence
    on two lines.

    Another paragraph.
    """


def test_a_paragraph_is_a_line():
    assert paragraphs(command) == "One sentence on two lines.\n\nAnother paragraph."
    assert paragraphs(lambda: None) == ""
