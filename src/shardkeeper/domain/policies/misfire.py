"""What becomes of fires that nobody created a run for in time.

Fires are counted, not gone through: years of missed seconds cost no more than the runs that come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shardkeeper.domain.schedule import MICROSECOND, Schedule
from shardkeeper.domain.specs import Misfire

TOO_OLD = "older than misfire_grace"
DROPPED_BY = {
    Misfire.SKIP: "misfire policy skip",
    Misfire.ONCE: "misfire policy once: only the latest fire runs",
    Misfire.ALL: "beyond catch_up_limit",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time in which no fire has a run: `fires` after `after` and at or before `until`."""

    fires: Schedule
    after: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class MissedRange:
    """`count` fires that never run, from `fire_time` to `fire_until`, both included."""

    fire_time: datetime
    fire_until: datetime
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Accounting:
    """Every fire of the gaps is in one of these: `runs` to create, ascending, and ranges to record as MISSED."""

    runs: tuple[datetime, ...]
    missed: tuple[MissedRange, ...]


def gaps_without_runs(
    fires: Schedule, after: datetime, until: datetime, with_run: Iterable[datetime]
) -> list[Gap]:
    """The gaps in (after, until] around the fires that have a run already; gaps without any fire are left out.

    So no MISSED range ever covers a fire that ran.
    """
    gaps = []
    for ran in sorted(fire for fire in with_run if after < fire <= until):
        gaps.append(Gap(fires, after, ran - MICROSECOND))
        after = ran
    gaps.append(Gap(fires, after, until))
    return [gap for gap in gaps if fires.count_between(gap.after, gap.until)]


def account(
    gaps: Sequence[Gap],
    policy: Misfire,
    grace: timedelta,
    catch_up_limit: int,
    now: datetime,
    later_is_due: bool = False,
) -> Accounting:
    """Decide for every fire in `gaps` (ascending, apart from one another) whether it runs or is MISSED.

    `once`: the latest runs, unless `later_is_due`: a fire after the gaps is due already, and is the latest. `all`:
    the latest `catch_up_limit` run. `skip`: none. What is older than `grace` at `now` never runs. Whatever is dropped
    in a gap is one range. Takes time in proportion to gaps and runs.
    """
    once = 0 if later_is_due else 1
    allowed = {Misfire.SKIP: 0, Misfire.ONCE: once, Misfire.ALL: catch_up_limit}[policy]
    too_old_until = now - grace - MICROSECOND
    runs: list[datetime] = []
    missed: list[MissedRange] = []
    for gap in reversed(gaps):
        fresh_after = max(gap.after, min(gap.until, too_old_until))
        latest = gap.fires.last_between(fresh_after, gap.until, allowed - len(runs))
        runs[:0] = latest
        dropped_until = latest[0] - MICROSECOND if latest else gap.until
        dropped = _dropped(gap, dropped_until, fresh_after, policy)
        if dropped is not None:
            missed.insert(0, dropped)
    return Accounting(tuple(runs), tuple(missed))


def _dropped(gap: Gap, until: datetime, fresh_after: datetime, policy: Misfire) -> MissedRange | None:
    """One range for all fires of the gap up to `until`, of which those up to `fresh_after` are too old."""
    first, last = gap.fires.next_after(gap.after), gap.fires.latest_until(until)
    if first is None or last is None or not gap.after < first <= last:
        return None
    too_old = gap.fires.count_between(gap.after, fresh_after)
    by_policy = gap.fires.count_between(fresh_after, until)
    if not by_policy:
        reason = TOO_OLD
    elif not too_old:
        reason = DROPPED_BY[policy]
    else:
        reason = f"{too_old} {TOO_OLD}, {by_policy} {DROPPED_BY[policy]}"
    return MissedRange(first, last, too_old + by_policy, reason)
