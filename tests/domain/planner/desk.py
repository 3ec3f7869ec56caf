"""A planner on a desk: events are handed to it by hand, at instants that the test sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from shardkeeper.domain.attempts import Claimed, CreateAnswer, CreateRun, Creation, Pending, RunHead
from shardkeeper.domain.catalog import ImplHistory, ImplInForce, JobHistory
from shardkeeper.domain.leases import BeatAnswer, Held, JoinAnswer, Lease, LeaseState
from shardkeeper.domain.outcomes import Outcome
from shardkeeper.domain.planner.actions import Action, Create
from shardkeeper.domain.planner.events import (
    AttemptOver,
    AttemptsOver,
    Beaten,
    CapacityChanged,
    ClaimsAnswered,
    Event,
    JoinAnswered,
    Moment,
    PendingRead,
    RunsAnswered,
    SpecsRead,
    Started,
    TimerFired,
    ViewSeen,
)
from shardkeeper.domain.planner.planner import Planner
from shardkeeper.domain.planner.settings import PlannerSettings
from shardkeeper.domain.runs import AttemptKey, AttemptStatus, TriggerKind
from shardkeeper.domain.specs import ImplSpec, ImplVersion, JobSpec, JobVersion, Kind
from shardkeeper.domain.view import Member, View

T0 = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
LONG_AGO = T0 - timedelta(days=1)
IMPL = ImplVersion(ImplSpec("impl", Kind.PYTHON, "m:C"), (), 1)
IMPLS = {"impl": ImplHistory((ImplInForce(LONG_AGO, None, IMPL),))}
A = TypeVar("A")


def of(actions: Iterable[Action], kind: type[A]) -> list[A]:
    """The actions of one kind."""
    return [action for action in actions if isinstance(action, kind)]


def job(
    name: str = "job", number: int = 10, since_s: float = -3600, until_s: float | None = None, **spec: Any
) -> JobVersion:
    """A version of a job that fires each second, unless said otherwise; its interval in seconds from T0."""
    if not {"cron", "every", "run_at"} & spec.keys():
        spec["every"] = timedelta(seconds=1)
    until = None if until_s is None else T0 + timedelta(seconds=until_s)
    return JobVersion(JobSpec(name, "impl", **spec), number, T0 + timedelta(seconds=since_s), until)


class Desk:
    """Node ``n1``'s planner and the time on its clocks."""

    def __init__(self, capacity: int = 4, **settings: Any) -> None:
        numbers = count(1)
        self.planner = Planner(
            PlannerSettings("n1", **settings), lambda: f"life-{next(numbers)}", lambda: 0.5
        )
        self.seconds = 0.0
        self.wall_ahead_s = 0.0
        self._beats = 0
        self._runs = count(1)
        self.tell(CapacityChanged(capacity, fit=True))

    @property
    def incarnation(self) -> str:
        return self.planner.mind.incarnation

    @property
    def now(self) -> datetime:
        return T0 + timedelta(seconds=self.seconds + self.wall_ahead_s)

    def tell(self, event: Event) -> list[Action]:
        return self.planner.handle(event, Moment(self.now, self.seconds))

    def up(self, *nodes: str) -> Desk:
        """Joined, beaten, and in a view with these nodes (n1 alone where none is named); nothing is PENDING."""
        self.tell(Started())
        self.join()
        self.beat()
        self.view(*nodes or ("n1",))
        self.pending()  # the look of the first beat, and the one that the view asked for meanwhile
        self.pending()
        return self

    def join(self, joined: bool = True, predecessor: Lease | None = None) -> list[Action]:
        answer = JoinAnswer(joined, predecessor, self.now)
        return self.tell(JoinAnswered(self.incarnation, answer, self.seconds))

    def beat(
        self,
        *others: Lease,
        alive: bool = True,
        held: Iterable[Held] = (),
        drain: bool = False,
        mirrored: View | None = None,
        skew_s: float = 0.0,
    ) -> list[Action]:
        self._beats += 1
        leases = (Lease("n1", self.incarnation, self._beats, LeaseState.ACTIVE), *others)
        store_now = self.now - timedelta(seconds=skew_s)
        answer = BeatAnswer(alive, leases, tuple(held), drain, None, mirrored, store_now)
        return self.tell(Beaten(self.incarnation, answer, self.seconds))

    def view(
        self, *nodes: str, epoch: int = 1, lineage: str = "line", labels: Mapping[str, Any] | None = None
    ) -> list[Action]:
        return self.tell(ViewSeen(view(*nodes, epoch=epoch, lineage=lineage, labels=labels)))

    def specs(self, *versions: JobVersion, whole: bool = False) -> list[Action]:
        names = dict.fromkeys(version.spec.name for version in versions)
        jobs = {name: JobHistory(tuple(v for v in versions if v.spec.name == name)) for name in names}
        return self.tell(
            SpecsRead(
                jobs, IMPLS if whole or not self.planner.mind.catalog.impl_at("impl", T0) else {}, whole
            )
        )

    def fire(self, seconds: float) -> list[Action]:
        """Every timer fires at this instant."""
        self.seconds = seconds
        keys = list(self.planner.mind.timetable._by_key)
        return [action for key in keys for action in self.tell(TimerFired(key))]

    def answer(
        self, creates: list[Create], outcome: Creation = Creation.CREATED, claims: bool = True
    ) -> list[Action]:
        """The store's answer to these creations: everything asked for is claimed where the run is made, or nothing."""
        requests = tuple(create.request for create in creates)
        made = outcome in (Creation.CREATED, Creation.EXISTS)
        answers = tuple(self._answer(request, outcome, made, claims) for request in requests)
        return self.tell(RunsAnswered(self.incarnation, requests, answers))

    def claims(self, *claimed: Claimed, asked: tuple[AttemptKey, ...] = ()) -> list[Action]:
        return self.tell(ClaimsAnswered(self.incarnation, asked or tuple(c.key for c in claimed), claimed))

    def pending(self, *rows: Pending, full: bool = False) -> list[Action]:
        return self.tell(PendingRead(self.incarnation, rows, full))

    def over(
        self, claimed: Claimed, status: AttemptStatus = AttemptStatus.COMPLETED, **fields: Any
    ) -> list[Action]:
        return self.ended(AttemptOver(Outcome(claimed.key, claimed.claim_no, status, **fields)))

    def ended(self, *over: AttemptOver) -> list[Action]:
        return self.tell(AttemptsOver(over))

    def _answer(self, request: CreateRun, outcome: Creation, made: bool, claims: bool) -> CreateAnswer:
        run_id = next(self._runs) if made else None
        items = request.claim_items if made and claims else ()
        got = tuple(
            claimed(item, run_id or 0, request.fire_time, job_version=request.job_version) for item in items
        )
        return CreateAnswer(outcome, run_id, got, self.now)


def view(*nodes: str, epoch: int = 1, lineage: str = "line", labels: Mapping[str, Any] | None = None) -> View:
    members = tuple(Member(node, f"of-{node}", 1.0, (labels or {}).get(node, {})) for node in nodes)
    return View(lineage, epoch, "somebody", members, T0)


def lease(node: str, beat: int, state: LeaseState = LeaseState.ACTIVE) -> Lease:
    return Lease(node, f"of-{node}", beat, state)


def key(item: int = 0, run_id: int = 1, fire_time: datetime = T0, attempt: int = 1) -> AttemptKey:
    return AttemptKey(run_id, fire_time, item, attempt)


def claimed(
    item: int = 0,
    run_id: int = 1,
    fire_time: datetime = T0,
    claim_no: int = 1,
    job_version: int = 10,
    tries: int = 0,
    kind: TriggerKind = TriggerKind.SCHEDULE,
) -> Claimed:
    head = RunHead("job", kind, job_version, 1, 1, {})
    return Claimed(key(item, run_id, fire_time), claim_no, head, None, tries, 0)


def row(
    item: int = 0,
    run_id: int = 1,
    waiting_s: float = 0.0,
    kind: TriggerKind = TriggerKind.SCHEDULE,
    pinned: str | None = None,
    declined_by: tuple[str, ...] = (),
    total: int = 1,
    job_version: int = 10,
    owned: bool = True,
) -> Pending:
    of = key(item, run_id)
    return Pending(of, "job", kind, job_version, 1, total, pinned, waiting_s, declined_by, owned)
