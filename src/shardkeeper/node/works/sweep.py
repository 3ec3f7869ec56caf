"""The sweep: accounting for fires that are too old to be created on time (rule 9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shardkeeper.domain.accounting import DueRun, FireRange, NodesOf, Window, account_for
from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.facts import DutyDone, SweepLeftToOthers
from shardkeeper.domain.planner.actions import Alert
from shardkeeper.domain.runs import RunStatus
from shardkeeper.node.duties import Round
from shardkeeper.node.histories import HistoryReader, Reading
from shardkeeper.node.known_specs import KnownSpecs
from shardkeeper.node.lanes import Done
from shardkeeper.ports.duties import MisfireRun, RangeRecord, SweepSlice, SweepStore
from shardkeeper.ports.specs import SpecRows

STEP_ASIDE_S = 180.0
"""How long a node that does not understand some spec leaves the sweep to others: well above the minute for which it
holds the duty, so that another gets it meanwhile."""
MOST_ATTEMPTS = 20_000
"""Inserted by one slice: a fraction of a second, during which no run is created. A job alone may have more
(``domain.validation`` bounds it), as what one sweep decides of a job is applied as a whole."""
OLD_S = 5.0
"""A window that ends so much longer ago than its lag and its own sweeping explain, since a round failed or an outage
lay between, is followed by the next one at once."""
RESTS = 20.0
"""Times as long as looking at the jobs of a window took that nothing is swept after it: with very many jobs the sweep
would else never end, and go on looking at all of them."""
RESTS_AFTER_MISSED = 3.0
"""The same where fires had been missed: after an outage those that were just not old enough are to be accounted for
soon. What it took to write what was found, which is much then, does not count."""
LONGEST_REST_S = 30.0
"""Less than the time for which the duty is held."""


@dataclass(slots=True)
class _Swept:
    """A window that is being swept: its end, when its sweeping began here, how long looking at its jobs took, and
    whether fires had been missed."""

    until: datetime
    began: float
    looked_s: float = 0.0
    missed: bool = False


class SweepWork:
    """``known``: what this node knows of specs, so that only jobs with a fire in the window are read: few, where most
    fire seldom. ``nodes_of``: the eligible nodes of an each_node job, None for others; ``members_known``: whether it
    can tell. ``tell``: facts for log and metrics. ``alert`` writes an alert. ``on_time_window_s``: by which windows
    lag.
    """

    most = 100

    def __init__(
        self,
        store: SweepStore,
        reader: HistoryReader,
        known: KnownSpecs,
        nodes_of: NodesOf,
        members_known: Callable[[], bool],
        monotonic: Callable[[], float],
        tell: Callable[[object], None],
        alert: Callable[[Alert], None],
        on_time_window_s: float,
        jobs_per_slice: int = 1_000,
        slices_per_round: int = 200,
    ) -> None:
        self._store = store
        self._reader = reader
        self._choose = known.with_fires
        self._nodes_of = nodes_of
        self._members_known = members_known
        self._monotonic = monotonic
        self._tell = tell
        self._alert = alert
        self._old = timedelta(seconds=on_time_window_s + OLD_S)
        self._most_jobs = self._jobs = jobs_per_slice
        self._slices_per_round = slices_per_round
        self._idle_until = 0.0
        self._window: _Swept | None = None

    def run(self, actions: Sequence[Round]) -> Done[Round]:
        """See Work. Slice after slice of one window, until there is nothing left or the duty is another's.

        Time goes on meanwhile, so that there is always a next window: that is the next round's. After a failure the
        next round begins where the cursor stands, with a slice of half as many jobs: one that took too long would take
        too long for ever.
        """
        # with no member known, each_node jobs would seem to have no node to run on
        if self._monotonic() < self._idle_until or not self._members_known():
            return Done()
        incarnation = actions[-1].incarnation
        created = recorded = 0
        for _ in range(self._slices_per_round):
            began = self._monotonic()
            found = self._begun(incarnation)
            if found is None:
                self._window = None
                break
            if self._window is None or self._window.until != found.window_until:
                self._window = _Swept(found.window_until, began)
            reading = self._reader.read(_rows(found))
            if reading.unknown or reading.unknown_impls:
                self._step_aside(reading)
                break
            runs, records = self._decide(found, reading)
            self._window.looked_s += self._monotonic() - began
            if self._is_too_much(found, runs):
                continue
            if self._applied(incarnation, found, runs, records):
                self._window.missed |= bool(runs) or any(one.status is RunStatus.MISSED for one in records)
                created += len(runs)
                recorded += sum(record.count for record in records)
                if found.last and self._rests(found):
                    break
            else:
                # somebody edits specs all the time: of fewer jobs fewer change meanwhile
                self._halve(self._jobs)
        if created or recorded:
            self._tell(
                DutyDone("sweep", f"{created} misfire runs created, {recorded} fires recorded as not run")
            )
        return Done()

    def _begun(self, incarnation: str) -> SweepSlice | None:
        try:
            return self._store.sweep_begin(incarnation, self._jobs, self._choose)
        except StoreUnavailable:
            self._window = None
            self._halve(self._jobs)
            raise

    def _applied(
        self, incarnation: str, found: SweepSlice, runs: list[MisfireRun], records: list[RangeRecord]
    ) -> bool:
        try:
            applied = self._store.sweep_apply(incarnation, found, runs, records)
        except StoreUnavailable:
            self._window = None
            self._halve(self._jobs)
            raise
        if applied and 2 * _attempts(runs) <= MOST_ATTEMPTS:
            self._jobs = min(2 * self._jobs, self._most_jobs)
        return applied

    def _rests(self, found: SweepSlice) -> bool:
        """A window is done: whether that was all for now. What lies long behind is caught up with first."""
        assert self._window is not None, "this window is being swept"
        swept, self._window = self._window, None
        now = self._monotonic()
        if found.now - found.window_until >= self._old + timedelta(seconds=now - swept.began):
            return False
        rests = RESTS_AFTER_MISSED if swept.missed else RESTS
        self._idle_until = now + min(rests * swept.looked_s, LONGEST_REST_S)
        return True

    def _is_too_much(self, found: SweepSlice, runs: list[MisfireRun]) -> bool:
        """Whether the same place is to be begun again with fewer jobs."""
        if len(found.jobs) < 2 or _attempts(runs) <= MOST_ATTEMPTS:
            return False
        self._halve(len(found.jobs))
        return True

    def _halve(self, jobs: int) -> None:
        self._jobs = max(1, jobs // 2)

    def _step_aside(self, reading: Reading) -> None:
        """Some spec here is for a newer version to judge: leave the slice to a node that can, and say so, as nobody
        sweeps where there is no such node.
        """
        self._idle_until, self._window = self._monotonic() + STEP_ASIDE_S, None
        unknown = {**reading.unknown, **reading.unknown_impls}
        name, reason = next(iter(unknown.items()))
        self._tell(SweepLeftToOthers(tuple(sorted(unknown)), reason))
        self._alert(Alert(f"sweep-left:{name}", "sweep_left", {"name": name, "problem": reason}))

    def _decide(self, found: SweepSlice, reading: Reading) -> tuple[list[MisfireRun], list[RangeRecord]]:
        window = Window(found.window_from, found.window_until, found.now)
        runs: list[MisfireRun] = []
        records: list[RangeRecord] = []
        for job in found.jobs:
            history = reading.jobs[job.job_name]
            due, ranges = account_for(
                job.job_name, history, reading.impls, job.existing, window, self._nodes_of
            )
            runs += [_misfire(one) for one in due]
            records += [_record(one) for one in ranges]
        return runs, records


def _attempts(runs: Sequence[MisfireRun]) -> int:
    return sum(run.sharding_total_count for run in runs)


def _rows(found: SweepSlice) -> SpecRows:
    return SpecRows(
        jobs_named=frozenset(job.job_name for job in found.jobs),
        impls_named=frozenset(row.impl_name for row in found.impls),
        jobs=tuple(row for job in found.jobs for row in job.versions),
        impls=found.impls,
        pauses=tuple(row for job in found.jobs for row in job.pauses),
        horizon=found.window_from,
        token="",
    )


def _misfire(run: DueRun) -> MisfireRun:
    return MisfireRun(
        run.job_name, run.fire_time, run.job_version, run.impl_version, run.sharding_total_count, run.nodes
    )


def _record(found: FireRange) -> RangeRecord:
    return RangeRecord(
        found.job_name,
        found.job_version,
        found.status,
        found.fire_time,
        found.fire_until,
        found.count,
        found.reason,
    )
