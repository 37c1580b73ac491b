from __future__ import annotations

import pytest

from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.selection import Selection

PATHS = ["a.mkv", "extras/b.MKV", "extras/c.txt", "3"]


@pytest.mark.parametrize(
    ("values", "indexes"),
    [
        (["1"], [0]),
        (["2-3"], [1, 2]),
        (["1,3-4"], [0, 2, 3]),
        (["*.mkv"], [0, 1]),
        (["extras/*"], [1, 2]),
        (["C.TXT"], [2]),
        (["3"], [2]),
        (["1", "*.txt"], [0, 2]),
        ([], []),
    ],
)
def test_numbers_and_patterns(values, indexes):
    assert Selection(values).indexes(PATHS) == indexes


@pytest.mark.parametrize("value", ["0", "5", "3-2", "4-99", "*.iso", "", "1,,2"])
def test_what_means_no_file_is_an_error_that_names_it(value):
    with pytest.raises(CommandError, match="--select") as error:
        Selection([value]).indexes(PATHS)
    assert error.value.code is ExitCode.USAGE
