from __future__ import annotations

import errno

import pytest

from millstream.sandbox import giving_up
from millstream.sandbox.attempts import ATTEMPTS
from millstream.sandbox.giving_up import give_up


def refuse(*_):
    raise OSError(errno.ENOSYS, "not in this kernel")


@pytest.fixture
def kernel(monkeypatch):
    """A kernel that can all; nothing is given up by the test's own process."""

    class Kernel:
        def lacks(self, name):
            monkeypatch.setattr(*places[name], refuse)

        def refuses(self, *names):
            monkeypatch.setattr(giving_up, "refused_attempts", lambda: names)

    places = {
        "no_new_privs": (giving_up, "keep_privileges_down"),
        "landlock": (giving_up.landlock, "restrict"),
        "seccomp": (giving_up.seccomp, "restrict"),
    }
    for name, result in (("no_new_privs", None), ("landlock", 7), ("seccomp", None)):
        monkeypatch.setattr(*places[name], lambda result=result: result)
    monkeypatch.setattr(giving_up.threading, "active_count", lambda: 1)
    monkeypatch.setattr(giving_up.sys, "platform", "linux")
    there = Kernel()
    there.refuses(*ATTEMPTS)
    return there


@pytest.mark.usefixtures("kernel")
def test_a_kernel_that_can_all():
    report = give_up()
    assert (report.landlock, report.seccomp, report.reasons) == (7, True, ())
    assert report.is_whole
    assert report.possible == ()


def test_what_is_possible_still_is_seen_and_not_believed(kernel):
    kernel.refuses("read a file")
    report = give_up()
    assert not report.is_whole
    assert "write a file" in report.possible
    assert "read a file" not in report.possible


def test_a_kernel_without_landlock(kernel):
    kernel.lacks("landlock")
    report = give_up()
    assert (report.landlock, report.seccomp) == (None, True)
    assert report.reasons == ("Landlock: not in this kernel",)


def test_a_kernel_without_either(kernel):
    kernel.lacks("landlock")
    kernel.lacks("seccomp")
    kernel.refuses()
    report = give_up()
    assert (report.landlock, report.seccomp) == (None, False)
    assert len(report.reasons) == 2
    assert report.possible == tuple(ATTEMPTS)


def test_neither_holds_where_privileges_do_not_stay_down(kernel):
    kernel.lacks("no_new_privs")
    report = give_up()
    assert (report.landlock, report.seccomp) == (None, False)
    assert report.reasons == ("no_new_privs: not in this kernel",)


@pytest.mark.usefixtures("kernel")
def test_threads_that_run_already_are_not_held_by_landlock(monkeypatch):
    monkeypatch.setattr(giving_up.threading, "active_count", lambda: 3)
    report = give_up()
    assert (report.landlock, report.seccomp) == (None, True)
    assert "3 threads" in report.reasons[0]


@pytest.mark.usefixtures("kernel")
def test_another_system_says_so(monkeypatch):
    monkeypatch.setattr(giving_up.sys, "platform", "darwin")
    report = give_up()
    assert (report.landlock, report.seccomp, report.refused) == (None, False, ())
    assert "darwin" in report.reasons[0]
