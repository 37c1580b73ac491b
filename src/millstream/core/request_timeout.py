"""How long a peer may be silent while it owes us blocks.

A fast peer that says nothing for three seconds has gone, a slow one may need half a minute for a
block. So what is measured is the silence between blocks: the longest of late times four is what a
peer may take, between a floor and the setting. An answer resets the clock, whichever block it
brings, so who sends slowly but steadily is waited for. TCP's retransmission timer is the model: a
timeout doubles the next one.
"""

from __future__ import annotations

# Above what TCP takes to notice two losses in a row; libtorrent's floor is 2 s.
MIN_TIMEOUT = 3.0
# So many times the longest silence between blocks of late.
PATIENCE_FACTOR = 4.0
# A long silence is forgotten at this rate, seconds: after a minute of steady blocks 1/20 is left.
MEMORY = 20.0
# The first block says little about the second: what is assumed at least, seconds of silence.
FIRST_SILENCE = 2.0


class RequestTimeout:
    """The timeout of one peer, in seconds. `ceiling` is also what an unknown peer gets."""

    __slots__ = ("_ceiling", "_known", "_longest")

    def __init__(self, ceiling: float) -> None:
        self._ceiling = ceiling
        self._longest = ceiling / PATIENCE_FACTOR
        self._known = False

    @property
    def seconds(self) -> float:
        """How long it may be silent."""
        return min(self._ceiling, max(MIN_TIMEOUT, self._longest * PATIENCE_FACTOR))

    def blocks_came(self, silence: float) -> None:
        """Blocks came after so many seconds of silence."""
        if not self._known:
            self._known = True
            self._longest = max(silence, FIRST_SILENCE)
        else:
            self._longest = max(silence, self._longest * (1 - min(1.0, silence / MEMORY)))

    def timed_out(self) -> None:
        """It was silent for longer: be more patient with it, the block may be on its way."""
        self._longest = min(self._ceiling, 2 * self.seconds) / PATIENCE_FACTOR
