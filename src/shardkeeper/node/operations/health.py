"""The doctor: everything that can be wrong with a cluster and is seen from one machine, each with its mend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shardkeeper.domain.durations import format_duration
from shardkeeper.domain.errors import Refused, SchemaMismatch, Unreachable
from shardkeeper.domain.leases import LeaseState
from shardkeeper.node.operations.cluster import Cluster, ClusterReader
from shardkeeper.ports.operator import OperatorStore, Row

SKEW_LIMIT_S = 2.0
"""Where nodes stop taking work (PlannerSettings.skew_limit_s)."""
SKEW_WARNING_S = 0.5
LATE_SWEEP = timedelta(minutes=1)
"""Beyond the on-time window: the sweep is due every few seconds."""


class CheckState(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. ``mend``: what to do where it is not ok."""

    name: str
    state: CheckState
    detail: str
    mend: str = ""
    unreachable: bool = False
    """A server did not answer."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the doctor looks at beside the stores' ports. ``schema`` raises SchemaMismatch and Unreachable;
    ``listen`` gives what is wrong with LISTEN/NOTIFY, or None.
    """

    schema: Callable[[], str]
    listen: Callable[[], str | None]
    now: Callable[[], datetime]
    lease_s: float
    session_timeout_s: float
    on_time_window_s: float
    allowed_modules: tuple[str, ...]
    slack: str | None
    open_doors: tuple[str, ...]


class HealthOperations:
    """``config``: the settings for people, secrets masked."""

    def __init__(
        self,
        store: OperatorStore,
        cluster: ClusterReader,
        surroundings: Surroundings,
        config: Callable[[], Row],
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._surroundings = surroundings
        self._config = config

    def config(self) -> Row:
        """Every setting in force here; secrets masked."""
        return self._config()

    def doctor(self) -> list[Check]:
        """All checks, in the order in which to mend. Never raises for what a server does."""
        around = self._surroundings
        try:
            revision = around.schema()
            before = around.now()
            health = self._store.health()
            clock = _clock(before, around.now(), health["now"])
            cluster = self._cluster.read()
        except Unreachable as error:
            mend = "is it running, and is database_url right?"
            return [_failed("postgresql", str(error), mend, unreachable=True), *self._local()]
        except (SchemaMismatch, Refused) as error:
            return [_failed("schema", str(error), "as it says"), *self._local()]
        return [
            Check("postgresql", CheckState.OK, f"PostgreSQL {health['server_version']}"),
            Check("schema", CheckState.OK, f"revision {revision}"),
            *_durability(health),
            self._listening(),
            clock,
            *self._zookeeper(cluster),
            self._leases(cluster, health["now"]),
            self._watermark(health),
            self._oldest_pending(health),
            *_problems(health),
            *_outbox(health),
            *self._local(),
        ]

    def _listening(self) -> Check:
        problem = self._surroundings.listen()
        if problem is None:
            return Check("listen", CheckState.OK, "a notification to ourselves came back")
        return _failed("listen", problem, "nodes need a direct connection, or a pool in session mode")

    def _zookeeper(self, cluster: Cluster) -> Iterator[Check]:
        snapshot = cluster.snapshot
        if snapshot is None:
            mend = "is it running, and is zookeeper_hosts right? Scheduled work goes on meanwhile"
            yield _failed("zookeeper", cluster.notes[0], mend, unreachable=True)
        else:
            yield Check("zookeeper", CheckState.OK, f"{len(snapshot.nodes)} nodes, leader {_leader(cluster)}")
            yield self._session(snapshot.session_timeout_s)
            for problem in snapshot.problems:
                yield Check(
                    "zookeeper tree", CheckState.WARNING, problem, "delete the znode, or let nodes mend it"
                )
        view = cluster.view
        if view is None:
            yield Check("view", CheckState.WARNING, "none is published", "start a node: `shardkeeper agent`")
        else:
            yield Check(
                "view",
                CheckState.OK,
                f"epoch {view.epoch}, members: {', '.join(m.node_id for m in view.members)}",
            )

    def _session(self, given_s: float | None) -> Check:
        asked_s = self._surroundings.session_timeout_s
        if given_s is None or abs(given_s - asked_s) < 0.01:
            return Check("session timeout", CheckState.OK, f"{asked_s:g} s, as asked for")
        detail = f"{given_s:g} s, where {asked_s:g} s was asked for"
        mend = "ZooKeeper grants 2 to 20 of its ticks: change session_timeout, or min/maxSessionTimeout"
        return Check("session timeout", CheckState.WARNING, detail, mend)

    def _leases(self, cluster: Cluster, now: datetime) -> Check:
        living = [row for row in cluster.leases if row["state"] != LeaseState.DEAD]
        allowed = timedelta(seconds=self._surroundings.lease_s)
        silent = [
            f"{row['node_id']} has not beaten for {format_duration(_whole(now - row['beaten_at']))}"
            for row in living
            if now - row["beaten_at"] > allowed
        ]
        if silent:
            return Check(
                "leases", CheckState.WARNING, "; ".join(silent), "another node takes it over, if one is left"
            )
        draining = sum(row["state"] == LeaseState.DRAINING for row in living)
        if not living:
            return Check("leases", CheckState.WARNING, "no node has one", "start a node: `shardkeeper agent`")
        return Check("leases", CheckState.OK, f"{len(living) - draining} active, {draining} draining")

    def _watermark(self, health: Row) -> Check:
        behind = health["now"] - health["watermark"]
        late = timedelta(seconds=self._surroundings.on_time_window_s) + LATE_SWEEP
        detail = f"fires are accounted for until {format_duration(_whole(behind))} ago"
        if behind <= late:
            return Check("watermark", CheckState.OK, detail)
        return Check("watermark", CheckState.WARNING, detail, "the sweep needs a node that runs")

    def _oldest_pending(self, health: Row) -> Check:
        since = health["oldest_pending"]
        waiting = timedelta(0) if since is None else health["now"] - since
        detail = f"the oldest waits for {format_duration(_whole(waiting))}" if since else "none wait"
        if waiting <= timedelta(seconds=self._surroundings.on_time_window_s):
            return Check("pending attempts", CheckState.OK, detail)
        mend = "are nodes full, draining, or lacking the labels or the code? `shardkeeper nodes`"
        return Check("pending attempts", CheckState.WARNING, detail, mend)

    def _local(self) -> Iterator[Check]:
        """What is known without any server."""
        around = self._surroundings
        allowed = ", ".join(around.allowed_modules)
        if allowed:
            yield Check("allowed modules", CheckState.OK, allowed)
        else:
            mend = 'set tasks.allowed_modules, for example ["acme.jobs"]'
            yield Check("allowed modules", CheckState.WARNING, "none: only built-in tasks may run here", mend)
        for door in around.open_doors:
            detail, _, mend = door.partition(": ")
            yield Check("zookeeper access", CheckState.WARNING, detail, mend)
        if around.slack is None:
            mend = "set slack.token and slack.channel, or slack.webhook_url"
            yield Check("slack", CheckState.WARNING, "not set: alerts stay in the table alert", mend)
        else:
            yield Check("slack", CheckState.OK, around.slack)


def _clock(before: datetime, after: datetime, theirs: datetime) -> Check:
    """Our clock half way through the question against theirs."""
    skew_s = (before + (after - before) / 2 - theirs).total_seconds()
    detail = f"{skew_s:+.3f} s from PostgreSQL's"
    if abs(skew_s) <= SKEW_WARNING_S:
        return Check("clock", CheckState.OK, detail)
    state = CheckState.WARNING if abs(skew_s) <= SKEW_LIMIT_S else CheckState.FAILED
    return Check("clock", state, detail, "nodes more than 2 s off take no work: set the clock (NTP)")


def _failed(name: str, detail: str, mend: str, unreachable: bool = False) -> Check:
    return Check(name, CheckState.FAILED, detail, mend, unreachable)


def _leader(cluster: Cluster) -> str:
    names = {info.incarnation: info.node_id for info in cluster.nodes.values()}
    return names.get(cluster.leader or "", "none")


def _durability(health: Row) -> Iterator[Check]:
    """A PostgreSQL that forgets commits forgets successes (the precondition of promise 1)."""
    commit: Any = health.get("synchronous_commit", "on")
    if commit == "off":
        detail, mend = "synchronous_commit is off: a crash may forget a success", "set it to on"
        yield Check("durability", CheckState.WARNING, detail, mend)
    elif not health.get("synchronous_standbys"):
        detail = "no synchronous standby: a failover to a standby may forget a success"
        yield Check("durability", CheckState.OK, detail)
    else:
        yield Check("durability", CheckState.OK, f"synchronous standbys: {health['synchronous_standbys']}")


def _problems(health: Row) -> Iterator[Check]:
    """Invalid versions and declined jobs."""
    if not health["problems"]:
        yield Check("specs", CheckState.OK, "every newest version is valid, and no node declines a job")
    for problem in health["problems"]:
        yield Check("specs", CheckState.WARNING, problem, "mend the spec, or install the code on that node")


def _outbox(health: Row) -> Iterator[Check]:
    given_up, unsent = health.get("given_up_alerts", 0), health["unsent_alerts"]
    problem = health.get("outbox_problem")
    if given_up:
        yield _failed("alerts", f"{given_up} were given up: {problem}", "mend slack's settings")
    elif problem:
        yield Check("alerts", CheckState.WARNING, f"{unsent} wait: {problem}", "they are tried again")
    else:
        yield Check("alerts", CheckState.OK, f"{unsent} wait to be sent")


def _whole(duration: timedelta) -> timedelta:
    return timedelta(seconds=max(0, round(duration.total_seconds())))
