"""What all tests share: Hypothesis profiles and the way to the recording fakes.

`default` is the same on every machine and every run. `fuzz` (`--hypothesis-profile=fuzz`) looks for
news: many examples, new ones each time, and prints how to repeat what it finds.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from .interop.matrix_report import summarize

settings.register_profile(
    "default", derandomize=True, deadline=None, max_examples=100, stateful_step_count=30
)
settings.register_profile(
    "fuzz",
    derandomize=False,
    deadline=None,
    max_examples=3000,
    stateful_step_count=80,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("default")

# `import fakes` works from every test, under every import mode of pytest.
sys.path.insert(0, str(Path(__file__).parent / "unit" / "core"))


@pytest.fixture(autouse=True, scope="session")
def _settings_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test, nor a program that one starts, reads the settings of who runs the tests."""
    from millstream.settings.catalogue import all_settings

    for name in ("MILLSTREAM_CONFIG", *(setting.variable for setting in all_settings())):
        os.environ.pop(name, None)
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # Here, not in interop/: under xdist the process that prints reads no other conftest.
    summarize(terminalreporter)
