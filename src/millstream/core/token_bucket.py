"""A token bucket: so many bytes a second, and a little at once.

Tokens are bytes. The bucket is refilled when it is asked, from the time that passed; nothing runs
in between. It may go into debt: who must take a whole block, or whatever the socket brings, spends
what that was, and the debt is paid back before anybody gets more. So the average holds to the byte
and only the last spending can be early.
"""

from __future__ import annotations

from millstream.core.limits_config import check_rate

# Seconds of the rate that are kept when nobody spends: with the turn and the receive that may come
# on top it stays below half a second, 5 % of ten seconds. Libtorrent keeps a third of a second
# (`bandwidth_channel::update_quota`, at most three ticks), Transmission half a second.
BURST_TIME = 0.25


class TokenBucket:
    """A rate in bytes a second, at least `limits_config.MIN_RATE`. It begins empty.

    Raises:
        ConfigError: the rate is too low.
    """

    __slots__ = ("_at", "_tokens", "rate")

    def __init__(self, rate: int, now: float) -> None:
        check_rate("rate", rate)
        self.rate = rate
        self._tokens = 0.0
        self._at = now

    def available(self, now: float) -> int:
        """How many bytes may be spent now; zero or less if none."""
        self._refill(now)
        return int(self._tokens // 1)

    def spend(self, length: int) -> None:
        """So many bytes moved. More than were available make a debt."""
        self._tokens -= length

    def ready_at(self, seconds: float, now: float) -> float:
        """When as much is there as comes in so many seconds, at most `BURST_TIME`; perhaps now."""
        self._refill(now)
        missing = min(seconds, BURST_TIME) - self._tokens / self.rate
        return now + max(0.0, missing)

    def set_rate(self, rate: int, now: float) -> None:
        """Change the rate from now on.

        What is there, or owed, stays the same in seconds: a debt of the fast rate would block the
        slow one for long, and its store would be a burst.

        Raises:
            ConfigError: the rate is too low.
        """
        check_rate("rate", rate)
        self._refill(now)
        self._tokens *= rate / self.rate
        self.rate = rate

    def _refill(self, now: float) -> None:
        rate = self.rate
        self._tokens = min(self._tokens + (now - self._at) * rate, rate * BURST_TIME)
        self._at = now
