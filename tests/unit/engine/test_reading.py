import pytest

from millstream.engine.reading import Hold, Reading


class Connection:
    def __init__(self):
        self.calls = []

    def pause_reading(self):
        self.calls.append("pause")

    def resume_reading(self):
        self.calls.append("resume")

    def limit_receive(self, most):
        self.calls.append(most)


@pytest.fixture
def connection():
    return Connection()


def test_it_goes_on_when_the_last_reason_is_gone(connection):
    reading = Reading(connection)
    reading.hold(Hold.RATE)
    reading.hold(Hold.DISK)
    reading.release(Hold.RATE, 1.0)
    assert reading.is_held
    assert connection.calls == ["pause"]
    reading.release(Hold.DISK, 2.0)
    assert not reading.is_held
    assert connection.calls == ["pause", "resume"]
    assert reading.resumed_at == 2.0


def test_the_same_reason_twice_is_one(connection):
    reading = Reading(connection)
    reading.hold(Hold.RATE)
    reading.hold(Hold.RATE)
    reading.release(Hold.RATE, 1.0)
    reading.release(Hold.RATE, 2.0)
    assert connection.calls == ["pause", "resume"]
    assert reading.resumed_at == 1.0


def test_a_release_without_a_hold_resumes_nothing(connection):
    reading = Reading(connection)
    reading.release(Hold.DISK, 1.0)
    assert connection.calls == []
    reading.limit(5)
    assert connection.calls == [5]
