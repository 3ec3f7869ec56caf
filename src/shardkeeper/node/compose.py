"""The one place that names adapters: settings in, a daemon out."""

from __future__ import annotations

import os
import random
import socket
import uuid
from collections.abc import Callable, Sequence
from importlib.metadata import version as installed_version
from typing import Any, TypeVar

from shardkeeper.domain.facts import JournalDamaged
from shardkeeper.domain.leases import Registration
from shardkeeper.domain.planner.actions import Alert
from shardkeeper.domain.planner.planner import Planner
from shardkeeper.domain.planner.settings import PlannerSettings
from shardkeeper.domain.specs import JobSpec
from shardkeeper.domain.validation import Limits
from shardkeeper.journal.file_journal import FileJournal
from shardkeeper.node.board import Board
from shardkeeper.node.compose_database import connection_options
from shardkeeper.node.compose_options import zookeeper_options
from shardkeeper.node.coordination import Coordination
from shardkeeper.node.daemon import Daemon, Machinery, Startable
from shardkeeper.node.duties import Duty, DutyRoster
from shardkeeper.node.effects import Effects, Lanes
from shardkeeper.node.histories import HistoryReader
from shardkeeper.node.known_specs import KnownSpecs
from shardkeeper.node.lanes import Crowd, Rim, ThreadLane, Work
from shardkeeper.node.load import LoadGauge
from shardkeeper.node.loop import Loop
from shardkeeper.node.node import Node, Parts, Reconsider
from shardkeeper.node.orders import OrderLimits
from shardkeeper.node.outage import OutageTeller
from shardkeeper.node.status import StatusLine
from shardkeeper.node.unanswered import Unanswered
from shardkeeper.node.works.housekeeping import HousekeepingWork
from shardkeeper.node.works.leases import LeaseWork, TakeoverWork
from shardkeeper.node.works.outbox import OutboxWork
from shardkeeper.node.works.outcomes import OutcomesWork, replay
from shardkeeper.node.works.pending import AlertsWork, PendingWork
from shardkeeper.node.works.runs import ClaimsWork, PullsWork, RunsWork
from shardkeeper.node.works.specs import SpecsWork
from shardkeeper.node.works.sweep import SweepWork
from shardkeeper.ports.coordinator import Coordinator, NodeInfo
from shardkeeper.postgres.alerts import PostgresAlerts
from shardkeeper.postgres.connection import Connection, ConnectionOptions
from shardkeeper.postgres.housekeeping import PostgresHousekeeping
from shardkeeper.postgres.leases import PostgresLeases
from shardkeeper.postgres.listener import PostgresListener
from shardkeeper.postgres.runs import PostgresRuns
from shardkeeper.postgres.specs import PostgresSpecs
from shardkeeper.postgres.sweep import PostgresSweep
from shardkeeper.settings.model import Settings
from shardkeeper.settings.sources import secrets_of
from shardkeeper.slack.notifier import SlackNotifier
from shardkeeper.system.clock import SystemClock
from shardkeeper.system.heartbeat import UrlHeartbeat
from shardkeeper.system.log import FactLog
from shardkeeper.system.service import ServiceManager
from shardkeeper.timers.apscheduler_timers import ApschedulerTimers
from shardkeeper.workers.pool import ProcessWorkers
from shardkeeper.workers.settings import WorkersSettings
from shardkeeper.zookeeper.coordinator import ZooKeeperCoordinator

A = TypeVar("A")

SWEEP_PERIOD_S = 5.0
OUTBOX_PERIOD_S = 1.0
HOUSEKEEPING_PERIOD_S = 60.0


def make_daemon(settings: Settings, coordinator: Coordinator | None = None) -> Daemon:
    """A daemon as the settings describe it. ``coordinator``: another one than ZooKeeper (standalone)."""
    return _Composition(settings, coordinator or zookeeper(settings)).daemon


def zookeeper(settings: Settings) -> ZooKeeperCoordinator:
    """The coordinator that the settings name."""
    return ZooKeeperCoordinator(zookeeper_options(settings))


class _Composition:
    """Builds each part once. What is needed before it exists is reached through a bound method."""

    def __init__(self, settings: Settings, coordinator: Coordinator) -> None:
        self._settings = settings
        self._coordinator = coordinator
        self._clock = SystemClock()
        self._service = ServiceManager()
        self._connections: list[Connection] = []
        self._lanes: list[ThreadLane[Any]] = []
        self._watchers: list[Startable] = []
        self._board = Board()
        self._board.subscribe(FactLog(settings.node_id, settings.environment))
        self._board.subscribe(StatusLine(self._service.status), *StatusLine.heard)
        self._loop = Loop(self._clock, self._service.alive, self._broken)
        self._reader = HistoryReader(Limits())
        self._known = KnownSpecs()
        self._planner = Planner(self._planner_settings(), lambda: uuid.uuid4().hex, random.random)
        self._workers = ProcessWorkers(self._worker_settings(), self._broken)
        self._coordination = self._make_coordination()
        self._watch_for_outages()
        self.daemon = self._make_daemon()

    def _make_daemon(self) -> Daemon:
        lanes = self._make_lanes()
        duties = self._make_duties(lanes.alerts.put)
        timers = ApschedulerTimers()
        effects = Effects(
            self._settings.node_id,
            lanes,
            self._workers,
            timers,
            self._coordination,
            duties,
            self._board,
            OrderLimits(self._settings.tasks.memory_limit, self._settings.tasks.result_limit),
            self._loop.at,
            self._ended,
        )
        parts = Parts(
            self._planner,
            effects,
            self._coordination,
            duties,
            self._board,
            self._clock,
            self._capacity,
            LoadGauge(self._settings.busy_at),
        )
        machinery = Machinery(
            Node(parts, self._loop.later),
            self._loop,
            self._workers,
            [*self._lanes, *self._watchers],
            timers,
            PostgresListener(self._options("listener")),
            self._coordinator,
            self._coordination,
            self._close_connections,
        )
        return Daemon(machinery, self._service, self._settings.grace_period)

    def _make_lanes(self) -> Lanes:
        window_s = self._settings.on_time_window
        journal = FileJournal(self._settings.state_dir / f"{self._settings.node_id}.journal", self._damaged)
        runs = PostgresRuns(self._connect("runs"), window_s)
        outcomes = PostgresRuns(self._connect("outcomes"), window_s)
        pending = PostgresRuns(self._connect("pending"), window_s)
        outcomes_work = OutcomesWork(outcomes, journal, self._clock.monotonic)
        outcomes_lane = self._lane("outcomes", outcomes_work, outcomes_work.dropped, Crowd())
        lease_link = self._connect("lease")
        leases = LeaseWork(
            PostgresLeases(lease_link),
            self._registration,
            self._clock.monotonic,
            _Once(lambda: replay(PostgresRuns(lease_link, window_s), journal, outcomes_lane.put)),
            self._make_heartbeat(),
        )
        specs = SpecsWork(
            PostgresSpecs(self._connect("specs"), window_s),
            self._reader,
            self._settings.node_id,
            self._known,
        )
        return Lanes(
            runs=self._lane("runs", RunsWork(runs, self._clock.now)),
            claims=self._lane("claims", ClaimsWork(PostgresRuns(self._connect("claims"), window_s))),
            pulls=self._lane("pulls", PullsWork(PostgresRuns(self._connect("pulls"), window_s))),
            outcomes=outcomes_lane,
            leases=self._lane("lease", leases),
            takeovers=self._lane("takeovers", TakeoverWork(PostgresLeases(self._connect("takeovers")))),
            specs=self._lane("specs", specs),
            pending=self._lane("pending", PendingWork(pending, self._planner.mind.settings.pending_limit)),
            alerts=self._lane("alerts", AlertsWork(PostgresAlerts(self._connect("alerts")))),
        )

    def _make_duties(self, alert: Callable[[Alert], None]) -> DutyRoster:
        sweep = SweepWork(
            PostgresSweep(self._connect("sweep"), self._settings.on_time_window),
            self._reader,
            self._known,
            self._nodes_of,
            self._members_known,
            self._clock.monotonic,
            self._board.tell,
            alert,
            self._settings.on_time_window,
        )
        outbox = OutboxWork(
            PostgresAlerts(self._connect("outbox")),
            self._make_notifier(),
            self._settings.environment,
            self._clock.monotonic,
            self._board.tell,
        )
        house = HousekeepingWork(
            PostgresHousekeeping(self._connect("housekeeping")), self._settings.retention, self._board.tell
        )
        duties = {
            "sweep": Duty(SWEEP_PERIOD_S, self._lane("sweep", sweep)),
            "outbox": Duty(OUTBOX_PERIOD_S, self._lane("outbox", outbox)),
            "housekeeping": Duty(HOUSEKEEPING_PERIOD_S, self._lane("housekeeping", house)),
        }
        return DutyRoster(duties, self._loop.later)

    def _make_coordination(self) -> Coordination:
        info = NodeInfo(
            node_id=self._settings.node_id,
            incarnation=self._planner.mind.incarnation,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=installed_version("shardkeeper"),
            weight=self._settings.node.weight,
            labels=self._settings.node.labels,
        )
        return Coordination(
            self._coordinator,
            info,
            self._clock,
            self._board,
            lambda: uuid.uuid4().hex,
            self._loop.post,
            lambda seconds: self._loop.later(seconds, Reconsider()),
            self._fatal,
        )

    def _make_heartbeat(self) -> Callable[[], None]:
        """What each answered beat calls."""
        url = self._settings.heartbeat_url
        if url is None:
            return lambda: None
        heartbeat = UrlHeartbeat(url.get_secret_value())
        self._watchers.append(heartbeat)
        return heartbeat.beaten

    def _watch_for_outages(self) -> None:
        teller = OutageTeller(
            self._make_notifier(),
            self._settings.environment,
            self._settings.node_id,
            self._coordination.speaks,
        )
        self._board.subscribe(teller, *teller.heard)
        self._watchers.append(teller)

    def _make_notifier(self) -> SlackNotifier:
        slack = self._settings.slack
        return SlackNotifier(
            token=slack.token.get_secret_value() if slack.token else None,
            channel=slack.channel,
            api_url=slack.api_url,
            webhook_url=slack.webhook_url.get_secret_value() if slack.webhook_url else None,
            secrets=secrets_of(self._settings),
        )

    def _planner_settings(self) -> PlannerSettings:
        return PlannerSettings(
            node_id=self._settings.node_id,
            lease_s=self._settings.lease_s,
            on_time_window_s=self._settings.on_time_window,
            unrunnable_after_s=self._settings.unrunnable_after,
            labels=self._settings.node.labels,
            most_ahead=self._settings.queue_size,
            busy_at=self._settings.busy_at,
        )

    def _worker_settings(self) -> WorkersSettings:
        tasks = self._settings.tasks
        return WorkersSettings(
            capacity=self._settings.workers,
            minimum=self._settings.workers_min,
            allowed_modules=tasks.allowed_modules,
            script_dirs=tuple(map(str, tasks.script_dirs)),
            secrets=secrets_of(self._settings),
            built_in={
                "connections": {name: url.get_secret_value() for name, url in tasks.connections.items()},
                "file_dirs": list(map(str, tasks.file_dirs)),
                "allowed_networks": list(map(str, tasks.allowed_networks)),
            },
            idle_s=self._settings.workers_idle,
            restart_intensity=tasks.restart_intensity,
            restart_period_s=tasks.restart_period,
        )

    def _registration(self, incarnation: str) -> Registration:
        return Registration(
            node_id=self._settings.node_id,
            incarnation=incarnation,
            host=socket.gethostname(),
            pid=os.getpid(),
            weight=self._settings.node.weight,
            labels=self._settings.node.labels,
            version=installed_version("shardkeeper"),
        )

    def _nodes_of(self, spec: JobSpec) -> tuple[str, ...] | None:
        """Asked by the sweep's lane: reads one attribute that the loop replaces as a whole."""
        return self._planner.mind.membership.nodes_of(spec)

    def _members_known(self) -> bool:
        """Asked by the sweep's lane too."""
        return bool(self._planner.mind.membership.roster.members)

    def _lane(
        self,
        name: str,
        work: Work[A],
        dropped: Callable[[Sequence[A]], None] | None = None,
        crowd: Crowd | None = None,
    ) -> ThreadLane[A]:
        unanswered = Unanswered(name, self._clock.monotonic, self._board.tell)
        lane = ThreadLane(name, work, Rim(self._loop.post, unanswered, self._broken, dropped), crowd)
        self._lanes.append(lane)
        return lane

    def _options(self, purpose: str) -> ConnectionOptions:
        return connection_options(self._settings, purpose)

    def _connect(self, purpose: str) -> Connection:
        made = Connection(self._options(purpose))
        self._connections.append(made)
        return made

    def _close_connections(self) -> None:
        for one in self._connections:
            one.close()

    def _capacity(self) -> int:
        return self._workers.capacity

    def _ended(self) -> None:
        self.daemon.ended()

    def _broken(self, part: str, error: Exception) -> None:
        self.daemon.broken(part, error)

    def _fatal(self, reason: str) -> None:
        self.daemon.fatal(reason)

    def _damaged(self, message: str) -> None:
        self._board.tell(JournalDamaged(message))


class _Once:
    """Calls ``todo`` until it has succeeded once, then never again."""

    def __init__(self, todo: Callable[[], object]) -> None:
        self._todo: Callable[[], object] | None = todo

    def __call__(self) -> None:
        if self._todo is not None:
            self._todo()
            self._todo = None
