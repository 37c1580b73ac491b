from __future__ import annotations

import json
from io import StringIO

import pytest

from millstream.cli.json_lines import JsonLines
from millstream.cli.plain import PlainLines
from millstream.cli.sandboxed import Sandbox
from millstream.sandbox.attempts import ATTEMPTS
from millstream.sandbox.giving_up import SandboxReport

WHOLE = SandboxReport(7, seccomp=True, refused=tuple(ATTEMPTS))
HALF = SandboxReport(
    None, seccomp=True, refused=tuple(ATTEMPTS)[1:], reasons=("Landlock: not in this kernel",)
)
NOTHING = SandboxReport(None, seccomp=False, refused=(), reasons=("there is neither on darwin",))


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (WHOLE, "Sandboxed by Landlock 7 and seccomp: the engine can open no file"),
        (
            HALF,
            "Sandboxed by seccomp (Landlock: not in this kernel). The engine could still: read a file.",
        ),
        (
            NOTHING,
            "Sandboxed by nothing (there is neither on darwin). The engine could still: read",
        ),
    ],
)
def test_people_are_told_what_holds(report, told):
    out = StringIO()
    with PlainLines(out) as display:
        Sandbox(None, None, report).tell(display)
    assert told in " ".join(out.getvalue().split())


def test_scripts_are_told_what_holds():
    out = StringIO()
    with JsonLines(out) as display:
        Sandbox(None, None, HALF).tell(display)
    event = json.loads(out.getvalue())
    assert (event["event"], event["whole"], event["landlock"], event["seccomp"]) == (
        *("sandboxed", False, None),
        True,
    )
    assert event["possible"] == ["read a file"]
    assert event["reasons"] == ["Landlock: not in this kernel"]
