"""The words in which contract tests of the stores are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from shardkeeper.domain.runs import AttemptKey, AttemptStatus
from shardkeeper.ports.duties import AlertRow, MisfireRun, RangeRecord, SweepSlice
from shardkeeper.ports.leases import BeatAnswer, Registration
from shardkeeper.ports.operator import Row
from shardkeeper.ports.runs import Claimed, CreateAnswer, CreateRun, Creation, Outcome, OutcomeAnswer, Pending
from tests.contract.store_worlds import StoreWorld

A, B = "node-a/1", "node-b/1"
"""The incarnations of the two nodes that most tests have."""

COMPLETED, FAILED, STOPPED = AttemptStatus.COMPLETED, AttemptStatus.FAILED, AttemptStatus.STOPPED
PENDING, TIMED_OUT = AttemptStatus.PENDING, AttemptStatus.TIMED_OUT


class Story:
    """Two nodes, A and B, and jobs as tests make them: every ten seconds, unless they say otherwise."""

    def __init__(self, world: StoreWorld) -> None:
        self.world = world
        self._events = count(1)
        self.join(A)
        self.join(B)

    def join(self, incarnation: str, labels: Mapping[str, str] | None = None) -> bool:
        """Join as ``incarnation``, whose name begins with that of its node."""
        node_id = incarnation.split("/")[0]
        who = Registration(node_id, incarnation, "host", 1, 1.0, labels or {}, "1.0")
        return self.world.leases.join(who).joined

    def beat(self, incarnation: str) -> BeatAnswer:
        return self.world.leases.beat(incarnation)

    def kill(self, incarnation: str, taker: str = B) -> None:
        """Take over from the incarnation, which has not beaten since."""
        leases = self.beat(taker).leases
        beat = next(lease.beat for lease in leases if lease.incarnation == incarnation)
        assert self.world.leases.take_over(taker, incarnation, beat).taken

    def job(self, name: str = "job", **columns: Any) -> None:
        """Insert the job with an ImplSpec ``impl``, or change these columns of it."""
        if not self.world.specs.named([], ["impl"]).impls:
            self.world.author.put_impl("impl", kind="python", entrypoint="tasks:Task")
        first = {"impl_spec": "impl", "every": timedelta(seconds=10)}
        self.world.author.put_job(name, **(first | columns))

    def version(self, job: str = "job") -> int:
        """The number of the newest valid version."""
        return self.world.specs.named([job], []).jobs[-1].version

    def impl_version(self, impl: str = "impl") -> int:
        return self.world.specs.named([], [impl]).impls[-1].version

    def total(self, job: str = "job") -> int:
        spec = self.world.specs.named([job], []).jobs[-1].spec
        assert spec is not None
        return int(spec.get("sharding_total_count", 1))

    def request(self, job: str = "job", fire: datetime | None = None, **changes: Any) -> CreateRun:
        """A request for a fire of this instant, by the newest versions, that claims all items."""
        total = self.total(job)
        values: dict[str, Any] = {
            "job_name": job,
            "fire_time": fire or self.world.now(),
            "job_version": self.version(job),
            "impl_version": self.impl_version(),
            "sharding_total_count": total,
            "claim_items": tuple(range(total)),
        }
        return CreateRun(**(values | changes))

    def ask(self, request: CreateRun, by: str = A) -> CreateAnswer:
        return self.world.runs.create(by, [request])[0]

    def create(self, job: str = "job", by: str = A, **changes: Any) -> CreateAnswer:
        """Create a run of this instant; it must succeed."""
        answer = self.ask(self.request(job, **changes), by)
        assert answer.outcome is Creation.CREATED, answer
        return answer

    def running(self, job: str = "job", by: str = A) -> Claimed:
        """The first item of a new run, held by ``by``."""
        return self.create(job, by).claimed[0]

    def outcome(self, of: Claimed, status: AttemptStatus = COMPLETED, **columns: Any) -> Outcome:
        return Outcome(of.key, of.claim_no, status, **columns)

    def end(
        self, of: Claimed, status: AttemptStatus = COMPLETED, by: str = A, **columns: Any
    ) -> OutcomeAnswer:
        return self.world.runs.record(by, [self.outcome(of, status, **columns)])[0]

    def run_to(self, status: AttemptStatus, job: str = "job", **columns: Any) -> int:
        """A run of one item that A has ended with ``status``; its id."""
        held = self.running(job)
        self.end(held, status, **columns)
        return held.key.run_id

    def claim(self, keys: Iterable[AttemptKey], by: str = A) -> list[Claimed]:
        return self.world.runs.claim(by, list(keys))

    def claim_pending(self, by: str = A) -> list[Claimed]:
        """Claim whatever may be claimed, and pull what has no owner."""
        claimed = self.claim((each.key for each in self.pending(by) if each.owned), by)
        return [*claimed, *self.world.runs.pull(by, 100, ())]

    def pending(self, by: str = A, limit: int = 100) -> list[Pending]:
        return self.world.runs.pending(by, limit)

    def row(self, run_id: int | None) -> Row:
        assert run_id is not None
        found = self.world.operator.run(run_id)
        assert found is not None
        return found

    def status(self, run_id: int | None) -> str:
        return str(self.row(run_id)["status"])

    def attempts(self, run_id: int | None) -> list[Row]:
        """The run's attempts, by item and number."""
        rows: list[Row] = self.row(run_id)["shard_runs"]
        return sorted(rows, key=lambda row: (row["item"], row["attempt"]))

    def statuses(self, run_id: int | None) -> list[str]:
        return [str(row["status"]) for row in self.attempts(run_id)]

    def alerts(self, by: str = A) -> list[AlertRow]:
        """What is due now; taken by ``by``."""
        return self.world.alerts.due_alerts(by, 100)

    def kinds(self, by: str = A) -> list[str]:
        return [alert.kind for alert in self.alerts(by)]

    def slice(self, by: str = A, limit: int = 100) -> SweepSlice:
        """The next slice, which must exist."""
        found = self.world.sweep.sweep_begin(by, limit)
        assert found is not None
        return found

    def apply(
        self,
        done: SweepSlice,
        runs: Sequence[MisfireRun] = (),
        records: Sequence[RangeRecord] = (),
        by: str = A,
    ) -> bool:
        return self.world.sweep.sweep_apply(by, done, runs, records)
