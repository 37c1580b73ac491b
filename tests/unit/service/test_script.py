from __future__ import annotations

import os
import sys

import pytest

from millstream.service.script import MAX_OUTPUT, run_script

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for sh")

ENVIRONMENT = {"PATH": os.environ["PATH"], "WORD": "a  b"}


def sh(text, *arguments):
    return ["sh", "-c", text, "sh", *arguments]


async def test_arguments_arrive_as_they_are():
    hostile = "$(touch x) 'q' \"d\"\n`y` \\ *"
    outcome = await run_script(sh('printf "%s|%s" "$1" "$WORD"', hostile), ENVIRONMENT, 30)
    assert (outcome.code, outcome.timed_out) == (0, False)
    assert outcome.output.decode() == f"{hostile}|a  b"


async def test_the_exit_code_and_both_outputs():
    outcome = await run_script(sh("echo out; echo err >&2; exit 3"), ENVIRONMENT, 30)
    assert (outcome.code, outcome.output) == (3, b"out\nerr\n")


async def test_stdin_is_empty():
    assert (await run_script(["cat"], ENVIRONMENT, 30)).output == b""


async def test_output_is_bounded_and_never_waited_for():
    outcome = await run_script(["head", "-c", str(MAX_OUTPUT * 40), "/dev/zero"], ENVIRONMENT, 30)
    assert (outcome.code, len(outcome.output)) == (0, MAX_OUTPUT)


async def test_a_program_that_is_not_there():
    with pytest.raises(FileNotFoundError):
        await run_script(["/no/such/program"], ENVIRONMENT, 30)
