"""Virtual time: the clock that tests and the simulation turn by hand, and what is to happen at its instants.

Time is counted in whole microseconds, so that instants are exact and every run of a seed is the same. Things
due at the same microsecond happen in the order in which they were asked for.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Call:
    """Something that will happen; ``cancel`` makes it not happen."""

    __slots__ = ("at_us", "todo")

    def __init__(self, at_us: int, todo: Callable[[], None]) -> None:
        self.at_us = at_us
        self.todo: Callable[[], None] | None = todo

    def cancel(self) -> None:
        self.todo = None


class VirtualClock:
    """The clock of a whole simulated world, which stands still until it is turned; single-threaded."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed_us = 0
        self._wall = start
        self._order = 0
        self._calls: list[tuple[int, int, Call]] = []

    def now(self) -> datetime:
        return self._wall

    def monotonic(self) -> float:
        return self._elapsed_us / 1e6

    def call_later(self, delay_s: float, todo: Callable[[], None]) -> Call:
        """``todo`` after ``delay_s`` seconds from now (at once, but not inside this call, where that is
        not positive)."""
        call = Call(self._elapsed_us + max(0, round(delay_s * 1e6)), todo)
        self._order += 1
        heapq.heappush(self._calls, (call.at_us, self._order, call))
        return call

    def call_at(self, wall: datetime, todo: Callable[[], None]) -> Call:
        """``todo`` when this clock's wall shows ``wall``."""
        return self.call_later((wall - self._wall) / timedelta(seconds=1), todo)

    def next_in_s(self) -> float | None:
        """Seconds until the next thing happens; None: nothing will."""
        self._drop_cancelled()
        return (self._calls[0][0] - self._elapsed_us) / 1e6 if self._calls else None

    def run_next(self) -> bool:
        """Turn to the next thing and let it happen; False: there is none."""
        self._drop_cancelled()
        if not self._calls:
            return False
        at_us, _, call = heapq.heappop(self._calls)
        self._turn_to(at_us)
        if call.todo is not None:
            call.todo()
        return True

    def advance(self, seconds: float) -> None:
        """Turn forward by ``seconds``; all that is due until then happens in order, at its own instant."""
        until_us = self._elapsed_us + round(seconds * 1e6)
        while True:
            self._drop_cancelled()
            if not self._calls or self._calls[0][0] > until_us:
                break
            self.run_next()
        self._turn_to(until_us)

    def _turn_to(self, elapsed_us: int) -> None:
        if elapsed_us > self._elapsed_us:
            self._elapsed_us = elapsed_us
            self._wall = self._start + elapsed_us * _MICROSECOND

    def _drop_cancelled(self) -> None:
        while self._calls and self._calls[0][2].todo is None:
            heapq.heappop(self._calls)


class NodeClock:
    """One machine's clock in that world: it grows with the world's, and its wall may be wrong or be
    stepped."""

    def __init__(self, world: VirtualClock, skew_s: float = 0.0) -> None:
        self.world = world
        self._skew = timedelta(seconds=skew_s)

    def now(self) -> datetime:
        return self.world.now() + self._skew

    def monotonic(self) -> float:
        return self.world.monotonic()

    def step(self, seconds: float) -> None:
        """Step the wall forward (or back, when negative), as a person or NTP does; monotonic time is not
        touched."""
        self._skew += timedelta(seconds=seconds)
