"""When a worker may be started after others have died: restart intensity and back-off, as OTP supervisors have it.

A death is a task's when an attempt that had begun, or an import, is to blame, else the machine's.

- The machine's deaths delay the next start, twice as long each time. More than ``intensity`` of them in ``period_s``
  seconds, or three starts in a row that come to nothing while nobody is alive, and the supervisor gives up: the node
  takes no work. After a cool-down, longer each time, one worker is tried; when it lives, work is taken again. Those
  that die together count once: the back-off is one for all.
- A task's deaths never make a node unfit. Each costs its attempt, and ``max_attempts`` over all nodes ends a poison
  task in FAILED; a node that went out of service with it would let one job stop the others, on node after node. But a
  storm of them is bounded too: beyond the intensity the starts are spaced, up to a second apart.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable

_LOG = logging.getLogger(__name__)
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.05, 10.0
_LONGEST_SPACING_S = 1.0
_FIRST_COOL_DOWN_S, _LONGEST_COOL_DOWN_S = 5.0, 120.0
_IN_VAIN = 3
"""So many starts that came to nothing in a row are a problem of the machine, not an accident."""


class Restarts:
    """Instants are of the monotonic clock. ``draw``: 0 to 1, for the jitter."""

    def __init__(self, intensity: int, period_s: float, draw: Callable[[], float]) -> None:
        self.count = 0
        """Unexpected deaths since the node's start, whoever's."""
        self.problem: str | None = None
        """Why the supervisor has given up, until a worker lives again."""
        self.next_start_at = 0.0
        self._intensity = intensity
        self._period_s = period_s
        self._draw = draw
        self._machines: deque[float] = deque()
        self._tasks: deque[float] = deque()
        self._in_vain = 0
        self._noticed_at = -math.inf
        """When a start was last seen to have come to nothing."""
        self._given_up = 0
        self._given_up_at = 0.0

    @property
    def in_vain(self) -> bool:
        """Whether the last start came to nothing."""
        return self._in_vain > 0

    def died(self, reason: str, by_task: bool, now: float) -> None:
        """Unexpectedly, after it had become ready or by what it imported."""
        self.count += 1
        if by_task:
            self._space(now)
        else:
            self._back_off(reason, now)

    def died_unready(self, reason: str, others_live: bool, started_at: float, now: float) -> None:
        """Unexpectedly, before it could do anything. ``others_live``: there is another worker that is ready."""
        self.count += 1
        self.not_started(reason, others_live, started_at, now)

    def not_started(self, reason: str, others_live: bool, started_at: float, now: float) -> None:
        """A start came to nothing. Those that were under way when the last one did count with it."""
        if started_at <= self._noticed_at:
            return
        self._noticed_at = now
        self._in_vain += 1
        if self.problem is not None or (self._in_vain >= _IN_VAIN and not others_live):
            self._give_up(reason, now)
        else:
            self._back_off(reason, now)

    def ready(self) -> None:
        """A worker is ready: they can be started, for all that is known."""
        self._in_vain = 0
        if self.problem is not None:
            _LOG.warning("a worker lives again: this node takes work")
            self.problem = None

    def nothing_to_try(self) -> None:
        """After a cool-down all workers that there may be live: work is taken again until one dies."""
        if self.problem is not None:
            _LOG.warning("the workers that are left live: this node takes work")
            self.problem = None

    def _back_off(self, reason: str, now: float) -> None:
        if now < self.next_start_at:
            return
        self._count(self._machines, now)
        if len(self._machines) > self._intensity:
            self._give_up(reason, now)
            return
        self._delay(now, min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** (len(self._machines) - 1)))
        _LOG.warning("%s; next start in %.2f s", reason, self.next_start_at - now)

    def _give_up(self, reason: str, now: float) -> None:
        if now - self._given_up_at > _LONGEST_COOL_DOWN_S + self._period_s:
            self._given_up = 0
        self._delay(now, min(_LONGEST_COOL_DOWN_S, _FIRST_COOL_DOWN_S * 2.0 ** min(self._given_up, 10)))
        self._given_up += 1
        self._given_up_at = self._noticed_at = now
        self._machines.clear()
        self.problem = reason
        _LOG.error(
            "workers cannot be kept alive, this node takes no work: %s; next try in %.1f s",
            reason,
            self.next_start_at - now,
        )

    def _space(self, now: float) -> None:
        self._count(self._tasks, now)
        beyond = len(self._tasks) - self._intensity
        if beyond > 0 and now >= self.next_start_at:
            self._delay(now, min(_LONGEST_SPACING_S, _FIRST_BACKOFF_S * 2.0 ** min(beyond - 1, 10)))

    def _count(self, deaths: deque[float], now: float) -> None:
        deaths.append(now)
        while deaths[0] <= now - self._period_s:
            deaths.popleft()

    def _delay(self, now: float, seconds: float) -> None:
        """Half of it to all of it, so that workers of many nodes do not start, and die, in step."""
        self.next_start_at = now + seconds * (0.5 + 0.5 * self._draw())
