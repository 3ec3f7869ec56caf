"""One process of a node: the real planner, works and effects over the twins, from its start to its end.

The composition is that of ``node/compose.py``; where that has a loop and threads, this has the world's time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from shardkeeper.domain.leases import Registration
from shardkeeper.domain.planner.actions import Alert
from shardkeeper.domain.planner.events import CapacityChanged, ClockStepped, DrainAsked, Started, TimerFired
from shardkeeper.domain.planner.planner import Planner
from shardkeeper.domain.specs import JobSpec
from shardkeeper.domain.validation import Limits
from shardkeeper.memory.clock import NodeClock
from shardkeeper.memory.coordinator import MemoryCoordinator
from shardkeeper.memory.listener import MemoryListener
from shardkeeper.memory.store import MemoryStore
from shardkeeper.memory.timers import MemoryTimers
from shardkeeper.memory.workers import MemoryWorkers
from shardkeeper.node.board import Board
from shardkeeper.node.coordination import Coordination
from shardkeeper.node.duties import Duty, DutyRoster
from shardkeeper.node.effects import Effects, Lanes
from shardkeeper.node.histories import HistoryReader
from shardkeeper.node.known_specs import KnownSpecs
from shardkeeper.node.lanes import Lane, Rim
from shardkeeper.node.node import Letter, Node, Parts, PollSpecs, Reconsider
from shardkeeper.node.orders import OrderLimits
from shardkeeper.node.works.housekeeping import HousekeepingWork
from shardkeeper.node.works.leases import LeaseWork, TakeoverWork
from shardkeeper.node.works.outcomes import OutcomesWork, replay
from shardkeeper.node.works.pending import AlertsWork, PendingWork
from shardkeeper.node.works.runs import ClaimsWork, PullsWork, RunsWork
from shardkeeper.node.works.specs import SpecsWork
from shardkeeper.node.works.sweep import SweepWork
from shardkeeper.ports.coordinator import NodeInfo
from shardkeeper.ports.specs import Hint, ListenerState
from shardkeeper.ports.workers import (
    AttemptCheckpointed,
    AttemptEnded,
    AttemptOrder,
    AttemptStarted,
    Ending,
    WorkerEvent,
    WorkersSaid,
)
from shardkeeper.simulation.disk import ProcessJournal
from shardkeeper.simulation.host import Host
from shardkeeper.simulation.process import Process
from shardkeeper.simulation.virtual_lane import VirtualLane
from shardkeeper.simulation.wire import LaneLink

STEP_S = 0.5
"""As in node.loop: a step of the wall clock beyond this is told to the planner."""
GATHER_S = 0.0005
"""What workers say within this is one letter, as under load in workers.supervisor."""
RETENTION_S = 1e6
PENDING_LIMIT = 500


class SimNode:
    """``host``: the machine and the world around it. ``gone`` is called when it has left by itself."""

    def __init__(self, host: Host, process_no: int, gone: Callable[[], None]) -> None:
        self.host = host
        self.process_no = process_no
        self.name = f"{host.plan.name}.{process_no}"
        self.process = Process(host.world.clock)
        self.clock = NodeClock(self.process, host.skew_s)
        self._gone = gone
        self._mailbox: deque[Letter] = deque()
        self._said: list[WorkerEvent] = []
        self._turn_is_due = False
        self._offset_s = self._wall_minus_monotonic()
        self._lives = count(1)
        self._lineages = count(1)
        self._replayed = False
        self._board = Board()
        self._board.subscribe(lambda fact: host.world.trace.add(self.name, fact))
        self.planner = Planner(
            host.world.conditions.planner(host.plan), self._new_incarnation, host.world.rng.random
        )
        self.workers = MemoryWorkers(
            self._behave, host.world.clock.call_later, self.clock.now, host.plan.capacity, host.problem_with
        )
        self.coordinator = MemoryCoordinator(host.world.ensemble)
        self.coordination = self._make_coordination()
        self.listener = MemoryListener(host.world.database, self._link(), self._hear_later)
        self._timers = MemoryTimers(self.clock)
        self._journal = ProcessJournal(host.journal, self.process)
        self._outcomes = self._lane()
        self._known = KnownSpecs()
        self._node = self._make_node()

    # ---- life

    def start(self) -> None:
        """As node.daemon starts: workers, timers, the loop, then the listener."""
        self.workers.start(self._workers_say)
        self._timers.start(lambda key: self.post(TimerFired(key)))
        self.post(CapacityChanged(self.workers.capacity, fit=True))
        self.post(Started())
        self._later(self.host.world.conditions.poll_s, PollSpecs())
        self.listener.start(self._hear)

    def drain(self, grace_s: float) -> None:
        """SIGTERM."""
        self.post(DrainAsked(leave=True, grace_s=grace_s))

    def kill(self) -> None:
        """SIGKILL: no word afterwards, but calls that were sent may still be done."""
        self._stop()
        self.host.world.ensemble.kill(self.coordinator)

    def step_clock(self, seconds: float) -> None:
        """The machine's wall clock moves."""
        self.clock.step(seconds)
        self.process.call_later(self.host.world.rng.random() * STEP_S, self._look_at_clock)

    def post(self, letter: Letter) -> None:
        """Put a letter into the mailbox."""
        self._mailbox.append(letter)
        if not self._turn_is_due:
            self._turn_is_due = True
            self.process.call_later(self.host.world.rng.random() * 0.0002, self._turn)

    def _turn(self) -> None:
        self._turn_is_due = False
        while self._mailbox and self.process.alive:
            self._handle(self._mailbox.popleft())

    def _handle(self, letter: Letter) -> None:
        self._look_at_clock()
        if self.process.alive:
            self.host.world.count_event()
            self._node.handle(letter)

    def _look_at_clock(self) -> None:
        offset_s = self._wall_minus_monotonic()
        moved_s, self._offset_s = offset_s - self._offset_s, offset_s
        if abs(moved_s) > STEP_S:
            self._node.handle(ClockStepped(moved_s))

    def _wall_minus_monotonic(self) -> float:
        return self.clock.now().timestamp() - self.clock.monotonic()

    def _ended(self) -> None:
        """The planner's word: everything was handed over."""
        self._outcomes.stop()
        self.coordination.leave()
        self.coordinator.stop()
        self._stop()
        self._gone()

    def _stop(self) -> None:
        self.process.kill()
        self.workers.kill()
        self.host.world.witnesses.cut_off(self.process_no)
        self._timers.stop()
        self.listener.stop()

    # ---- what it is made of

    def _make_node(self) -> Node:
        lanes = self._make_lanes()
        duties = self._make_duties(lanes.alerts)
        effects = Effects(
            self.host.plan.node_id,
            lanes,
            self.workers,
            self._timers,
            self.coordination,
            duties,
            self._board,
            OrderLimits(),
            self._wake,
            self._ended,
        )
        parts = Parts(
            self.planner,
            effects,
            self.coordination,
            duties,
            self._board,
            self.clock,
            lambda: self.workers.capacity,
        )
        return Node(parts, self._later)

    def _make_lanes(self) -> Lanes:
        runs, claims, pulls, pending, alerts = (self._lane() for _ in range(5))
        leases, takeovers, specs = self._lane(), self._lane(), self._lane()
        host = self.host
        runs.serve(RunsWork(self._store(runs), self.clock.now))
        claims.serve(ClaimsWork(self._store(claims)))
        pulls.serve(PullsWork(self._store(pulls)))
        outcomes = OutcomesWork(self._store(self._outcomes), self._journal, self.clock.monotonic)
        self._outcomes.serve(outcomes, outcomes.dropped)
        pending.serve(PendingWork(self._store(pending), PENDING_LIMIT))
        alerts.serve(AlertsWork(self._store(alerts)))
        takeovers.serve(TakeoverWork(self._store(takeovers)))
        specs.serve(SpecsWork(self._store(specs), HistoryReader(Limits()), host.plan.node_id, self._known))
        store = self._store(leases)
        leases.serve(
            LeaseWork(store, self._registration, lambda: leases.sent_mono, lambda: self._replay(store))
        )
        return Lanes(runs, claims, pulls, self._outcomes, leases, takeovers, specs, pending, alerts)

    def _make_duties(self, alerts: Lane[Alert]) -> DutyRoster:
        sweep, house = self._lane(), self._lane()
        conditions, mind = self.host.world.conditions, self.planner.mind
        sweep.serve(
            SweepWork(
                self._store(sweep),
                HistoryReader(Limits()),
                self._known,
                self._nodes_of,
                lambda: bool(mind.membership.roster.members),
                self.clock.monotonic,
                self._board.tell,
                alerts.put,
                conditions.on_time_window_s,
                jobs_per_slice=3,
            )
        )
        house.serve(HousekeepingWork(self._store(house), RETENTION_S, self._board.tell))
        duties = {
            "sweep": Duty(conditions.sweep_period_s, sweep),
            "housekeeping": Duty(conditions.housekeeping_period_s, house),
        }
        return DutyRoster(duties, self._later)

    def _make_coordination(self) -> Coordination:
        plan = self.host.plan
        info = NodeInfo(
            plan.node_id, self.planner.mind.incarnation, plan.name, weight=plan.weight, labels=plan.labels
        )
        return Coordination(
            self.coordinator,
            info,
            self.clock,
            self._board,
            lambda: f"lineage-{self.name}-{next(self._lineages)}",
            self.post,
            lambda seconds: self._later(seconds, Reconsider()),
            lambda reason: self.host.world.defect(self.name, RuntimeError(reason)),
        )

    def _lane(self) -> VirtualLane[Any]:
        world = self.host.world
        return VirtualLane(
            self.process,
            world.clock,
            self._link(),
            world.rng,
            Rim(self.post, self._unanswered, lambda _, error: world.defect(self.name, error)),
        )

    def _unanswered(self, reason: str) -> None:
        self.host.world.trace.add(self.name, f"unanswered: {reason}")

    def _store(self, lane: VirtualLane[Any]) -> MemoryStore:
        return MemoryStore(self.host.world.database, lane.link)

    def _link(self) -> LaneLink:
        world = self.host.world
        return LaneLink(
            self.host.wire,
            self.process,
            world.clock,
            world.rng,
            world.nesting,
            lambda what, call: world.trace.add(self.name, f"{what}: {call}"),
        )

    # ---- what it is asked

    def _new_incarnation(self) -> str:
        return f"{self.name}/{next(self._lives)}"

    def _nodes_of(self, spec: JobSpec) -> tuple[str, ...] | None:
        return self.planner.mind.membership.nodes_of(spec)

    def _registration(self, incarnation: str) -> Registration:
        plan = self.host.plan
        return Registration(
            plan.node_id, incarnation, plan.name, self.process_no, plan.weight, plan.labels, "0"
        )

    def _replay(self, store: MemoryStore) -> None:
        if not self._replayed:
            replay(store, self._journal, self._outcomes.put)
            self._replayed = True

    def _behave(self, order: AttemptOrder) -> tuple[float, Ending]:
        world = self.host.world
        world.witnesses.begin(self.host.plan.node_id, self.process_no, order)
        for after_s, checkpoint in world.tasks.saves(order, self.name):
            saved = AttemptCheckpointed(order.key, order.claim_no, checkpoint)
            world.clock.call_later(after_s, partial(self._save, saved))
        return world.tasks.behave(order)

    def _save(self, saved: AttemptCheckpointed) -> None:
        """Said by what runs, and by nothing that has ended."""
        if any((one.key, one.claim_no) == (saved.key, saved.claim_no) for one in self.workers.live):
            self._workers_say(WorkersSaid((saved,)))

    def _workers_say(self, said: WorkersSaid) -> None:
        """Workers live on while the node is paused; what they say waits in the pipe."""
        for event in said.events:
            self.host.world.witnesses.hear(self.process_no, event)
        if not self.process.alive:
            return
        if not self._said:
            self.process.call_later(self.host.world.rng.random() * GATHER_S, self._pass_on)
        self._said += said.events

    def _pass_on(self) -> None:
        """As the workers' supervisor does: what there is to say goes in one letter, and that an attempt began is left
        out where it has ended meanwhile."""
        said, self._said = self._said, []
        ended = {(one.key, one.claim_no) for one in said if isinstance(one, AttemptEnded)}
        self.post(
            WorkersSaid(
                tuple(
                    one
                    for one in said
                    if not isinstance(one, AttemptStarted) or (one.key, one.claim_no) not in ended
                )
            )
        )

    def _later(self, seconds: float, letter: Letter) -> None:
        self.process.call_later(seconds, lambda: self._handle(letter))

    def _wake(self, mono: float, letter: Letter) -> None:
        """Never before ``mono``, though time here goes by microseconds."""
        self._later(mono - self.clock.monotonic() + 1e-6, letter)

    def _hear_later(self, todo: Callable[[], None]) -> None:
        delay_s = self.host.hint_delay_s()
        if delay_s is not None:
            self.process.call_later(delay_s, todo)

    def _hear(self, news: Hint | ListenerState) -> None:
        self.post(news)
