"""Every case of the matrix: real clients on hosts of their own; see docs/interop.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from . import namespaces
from .matrix import CLIENTS, Case, cases, run
from .matrix_report import CELL
from .tracker import Tracker

# Most of a case is waiting, so several run at once; Transmission's more so: it looks at whom to
# unchoke, and whom to be interested in, every ten seconds.
AT_ONCE = {"transmission": 9}
AT_ONCE_ELSE = 3

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(180)]


def why_not(case: Case) -> str:
    """Why a case is skipped; empty if it is not."""
    return CLIENTS[case.client].missing()


@pytest.fixture(scope="session")
def internet() -> Iterator[namespaces.Internet]:
    if reason := namespaces.why_not():
        pytest.skip(reason)
    internet = namespaces.Internet()
    yield internet
    internet.close()


@pytest.fixture(scope="session")
def tracker(internet: namespaces.Internet, tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    return Tracker(internet.host("tracker"), tmp_path_factory.mktemp("tracker") / "log")


@pytest.fixture(scope="session")
def running(
    request: pytest.FixtureRequest,
    internet: namespaces.Internet,
    tracker: Tracker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Case], Future[float]]]:
    """Start all chosen cases of a client when the first of them is asked for."""
    chosen = [
        item.callspec.params["case"]
        for item in request.session.items
        if item.originalname == test_interop.__name__ and not why_not(item.callspec.params["case"])
    ]
    root = tmp_path_factory.mktemp("m")
    futures: dict[Case, Future[float]] = {}
    pools: list[ThreadPoolExecutor] = []

    def ask(case: Case) -> Future[float]:
        if case not in futures:
            pool = ThreadPoolExecutor(AT_ONCE.get(case.client, AT_ONCE_ELSE))
            pools.append(pool)
            for each in [one for one in chosen if one.client == case.client]:
                futures[each] = pool.submit(run, each, internet, tracker, root / str(each))
        return futures[case]

    yield ask
    for pool in pools:
        pool.shutdown(wait=False, cancel_futures=True)
    # Nothing runs any more, unless the tests were stopped: then what runs ends with its hosts.
    internet.close()
    for pool in pools:
        pool.shutdown()


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=str(case), marks=pytest.mark.xdist_group(f"interop-{case.client}"))
        for case in cases()
    ],
)
def test_interop(case: Case, request: pytest.FixtureRequest) -> None:
    cell = {"client": case.client, "role": case.role.value, "way": case.way.value}
    request.node.user_properties.append((CELL, cell))
    if reason := why_not(case):
        pytest.skip(reason)
    cell["version"] = CLIENTS[case.client].version()
    cell["seconds"] = request.getfixturevalue("running")(case).result()
