"""One session of `shardkeeper dev`: everything up, watched, judged, down."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Final, Protocol

from rich.console import Console

from shardkeeper.dev.fleet import AGENT, LONE_AGENT, Death, Fleet
from shardkeeper.dev.greeting import greeting, view_help
from shardkeeper.dev.lines import Lines
from shardkeeper.dev.looking import Glance, nothing_to_look_at
from shardkeeper.dev.options import DevFailed, DevOptions
from shardkeeper.dev.picture import Picture, Watcher, nodes_of
from shardkeeper.dev.screen import Screen
from shardkeeper.dev.servers import GRACE_S, Servers
from shardkeeper.dev.state import StateFolder
from shardkeeper.dev.summary import EXPECTED, FAILURE, Evidence, alert_arrived, judge, print_summary
from shardkeeper.devservers.fake_slack import Received
from shardkeeper.node.compose_operations import (
    make_operations,
    observer,
    read_settings,
    spec_files,
    upgrade_schema,
)
from shardkeeper.node.operations import Operations
from shardkeeper.ports.operator import RunFilter

BY: Final = "shardkeeper dev"
NEEDS: Final = "needs"
ZOOKEEPER: Final = "zookeeper"
WHY_PAUSED: Final = "needs ZooKeeper, and --standalone has none"
LOOK_EVERY_S: Final = 1.0
JOIN_S: Final = 60.0
ALERT_S: Final = 10.0
DUE_BEFORE_S: Final = 6.0
"""A fire so shortly before the end may not have ended: no job is blamed for it."""
RUNS_JUDGED: Final = 10_000
RUNS_LOOKED_INTO: Final = 300


class View(Protocol):
    """The screen, or lines."""

    def show(self, picture: Picture, inbox: tuple[Received, ...], deaths: list[Death]) -> None:
        """Show what is, or what is new."""

    def close(self) -> None:
        """Idempotent."""


class Interrupted(Exception):
    """Somebody asked to stop while everything was starting."""


class Session:
    """``run`` is called once, from the main thread: it takes SIGINT, SIGTERM and SIGHUP."""

    def __init__(self, options: DevOptions, console: Console) -> None:
        self._options = options
        self._console = console
        self._stop = threading.Event()
        self._fleet: Fleet | None = None
        self._judged: frozenset[str] = frozenset()

    def run(self) -> bool:
        """Whether all was well; always, when nobody asked for a verdict. Raises DevFailed, and what the servers and
        the operations raise."""
        specs = spec_files().load([self._options.jobspecs])
        self._judged = frozenset(job.name for job in specs.jobs)
        state = StateFolder(self._options.state)
        state.take(fresh=self._options.fresh)
        try:
            with self._signals(), Servers(self._options, state, self._say, os.environ) as servers:
                return self._with_servers(state, servers)
        except Interrupted:
            return True
        finally:
            state.pids.unlink(missing_ok=True)
            state.release()

    def _with_servers(self, state: StateFolder, servers: Servers) -> bool:
        state.write_config(servers.settings())
        variables = servers.variables()
        state.write_env(variables, Path(sys.executable).parent)
        os.environ.update(variables)
        settings = read_settings()
        self._say("Bringing the schema up to date")
        upgrade_schema(settings, JOIN_S, self._say)
        look = nothing_to_look_at if self._options.standalone else Glance(observer(settings), monotonic)
        operations = make_operations(settings, look)
        self._hold_what_needs_zookeeper(operations)
        program = LONE_AGENT if self._options.standalone else AGENT
        fleet = self._fleet = Fleet(program, {}, state.path, state.logs)
        try:
            return self._with_nodes(state, servers, operations, fleet)
        finally:
            fleet.ask_to_go()
            fleet.wait_until_gone(GRACE_S + 5.0)

    def _with_nodes(self, state: StateFolder, servers: Servers, operations: Operations, fleet: Fleet) -> bool:
        names = tuple(f"node-{number}" for number in range(1, self._options.nodes + 1))
        self._say(f"Starting {len(names)} node{'s' if len(names) > 1 else ''}")
        fleet.start(names)
        state.write_pids({"dev": os.getpid(), **servers.pids, **fleet.pids})
        fleet.wait_until(lambda: self._joined(operations, fleet), JOIN_S)
        operations.specs.apply([self._options.jobspecs], BY)
        # not before: a fire between the two is none of jobs that were not there yet, and would be missed
        began = datetime.now(UTC)
        self._hold_what_needs_zookeeper(operations)
        for line in greeting(self._options, state, servers, fleet):
            self._console.print(line, soft_wrap=True, highlight=False, markup=False)
        watcher = Watcher(operations, began)
        view = self._view(state)
        try:
            self._watch(watcher, view, servers, fleet)
            if self._options.seconds is None or self._stop.is_set():
                return True
            self._wait_for_alerts(operations, watcher, view, servers, fleet, began)
            self._show(watcher, view, servers, fleet)
        finally:
            view.close()
            self._console.print("Stopping: what runs ends first", highlight=False)
        return self._judge(operations, watcher, servers, fleet, began)

    def _joined(self, operations: Operations, fleet: Fleet) -> bool:
        if self._stop.is_set():
            raise Interrupted
        rows = operations.nodes.listing().value
        # by process id: what an earlier life left may still be listed
        joined = {row["pid"] for row in rows if row["applied_epoch"] or self._options.standalone}
        return joined >= set(fleet.pids.values())

    def _watch(self, watcher: Watcher, view: View, servers: Servers, fleet: Fleet) -> None:
        seconds = self._options.seconds
        until = None if seconds is None else monotonic() + seconds
        while not self._stop.is_set():
            left = LOOK_EVERY_S if until is None else min(LOOK_EVERY_S, until - monotonic())
            if left <= 0:
                return
            self._show(watcher, view, servers, fleet)
            self._stop.wait(left)

    def _show(self, watcher: Watcher, view: View, servers: Servers, fleet: Fleet) -> None:
        inbox = () if servers.slack is None else servers.slack.inbox
        view.show(watcher.read(), inbox, fleet.fresh_deaths())

    def _wait_for_alerts(
        self,
        operations: Operations,
        watcher: Watcher,
        view: View,
        servers: Servers,
        fleet: Fleet,
        began: datetime,
    ) -> None:
        """A failure of the last moment has yet to be told."""
        slack = servers.slack
        until = monotonic() + ALERT_S
        expected = [row["name"] for row in operations.jobs.listing({EXPECTED: FAILURE})]
        failed = [
            name
            for name in expected
            if operations.runs.listing(RunFilter(job=name, status="FAILED", since=began, limit=1))
        ]
        while slack is not None and monotonic() < until and not self._stop.is_set():
            if all(alert_arrived(name, slack.inbox) for name in failed):
                return
            self._stop.wait(LOOK_EVERY_S / 4)
            self._show(watcher, view, servers, fleet)

    def _judge(
        self, operations: Operations, watcher: Watcher, servers: Servers, fleet: Fleet, began: datetime
    ) -> bool:
        ended = datetime.now(UTC)
        fleet.ask_to_go()
        wrong = fleet.wait_until_gone(GRACE_S + 5.0)
        jobs = operations.jobs.listing()
        runs = operations.runs.listing(RunFilter(since=began, limit=RUNS_JUDGED))
        detailed = [watcher.detail(run) if n < RUNS_LOOKED_INTO else run for n, run in enumerate(runs)]
        last = ended - timedelta(seconds=DUE_BEFORE_S)
        first = {row["name"]: operations.jobs.next_fires(row["name"], began, 1).value for row in jobs}
        due = frozenset(name for name, fires in first.items() if fires and fires[0] <= last)
        evidence = Evidence(
            jobs=jobs,
            judged=self._judged,
            runs=detailed,
            due=due,
            nodes=sum((nodes_of(run) for run in detailed), Counter()),
            inbox=None if servers.slack is None else servers.slack.inbox,
            deaths=fleet.deaths,
            wrong_ends=wrong,
        )
        summary = judge(evidence)
        nodes = f"{self._options.nodes} node{'s' if self._options.nodes > 1 else ''}"
        print_summary(summary, self._console, f"After {(ended - began).total_seconds():.0f} s with {nodes}")
        return summary.ok

    def _hold_what_needs_zookeeper(self, operations: Operations) -> None:
        """Without ZooKeeper a probe of it can only fail: its job is paused, and resumed when there is one again."""
        for row in operations.jobs.listing({NEEDS: ZOOKEEPER}):
            if self._options.standalone and not row["paused"]:
                operations.jobs.pause(row["name"], WHY_PAUSED, None, BY)
            elif not self._options.standalone and row["paused_reason"] == WHY_PAUSED:
                operations.jobs.resume(row["name"], BY)

    def _view(self, state: StateFolder) -> View:
        if not self._options.live:
            return Lines(
                lambda line: self._console.print(line, soft_wrap=True, highlight=False, markup=False)
            )
        return Screen(self._console, "Shardkeeper", view_help(state))

    def _say(self, what: str) -> None:
        if self._stop.is_set():
            raise Interrupted
        self._console.print(what, highlight=False, markup=False)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def asked(number: int, frame: FrameType | None) -> None:
            if self._stop.is_set() and self._fleet is not None:
                self._fleet.ask_to_go()
            self._stop.set()

        before = {
            number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def run_dev(options: DevOptions, console: Console) -> bool:
    """One session; whether all was well."""
    if options.standalone and options.nodes != 1:
        raise DevFailed(
            "--standalone is one node: the in-memory coordinator cannot be shared; leave --nodes out"
        )
    return Session(options, console).run()
