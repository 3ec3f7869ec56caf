"""What there is to see of the cluster at one moment, read through the operations."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from shardkeeper.dev.looking import NO_ZOOKEEPER
from shardkeeper.domain.durations import format_duration
from shardkeeper.domain.errors import ShardkeeperError
from shardkeeper.node.operations import Operations
from shardkeeper.ports.operator import Row, RunFilter

RUNS_READ: Final = 200
"""How many of the newest runs are read each time."""
DETAILS_READ: Final = 20
"""How many runs that have ended are looked into each time: with so many a second, nobody reads each."""
FIRES_OF_JOBS: Final = 30
"""Of so many jobs the next fire is worked out."""
LAST_RUNS: Final = 12
OPEN: Final = frozenset({"CREATED", "RUNNING"})


@dataclass(frozen=True, slots=True)
class JobPicture:
    """One job: its row, which node has which item, its newest runs (oldest first) and its next fire."""

    row: Row
    owners: tuple[str | None, ...]
    last_runs: tuple[Row, ...]
    next_fire: datetime | None

    @property
    def name(self) -> str:
        return str(self.row["name"])

    @property
    def schedule(self) -> str:
        """As people write it."""
        row = self.row
        if row["cron"]:
            return f"cron {row['cron']}"
        if row["every"]:
            return f"every {_duration(row['every'])}"
        return f"at {row['run_at']:%Y-%m-%d %H:%M}" if row["run_at"] else "on demand"

    @property
    def by_node(self) -> bool:
        """One item for each node, whatever the sharding total."""
        return bool(self.row["sharding_strategy"] == "each_node")


@dataclass(frozen=True, slots=True)
class Picture:
    """``ended``: runs that were not seen ended before, oldest first, with their attempts. ``notes``: what whoever
    looks should know, such as that a server cannot be asked."""

    at: datetime
    nodes: tuple[Row, ...] = ()
    jobs: tuple[JobPicture, ...] = ()
    runs: tuple[Row, ...] = ()
    ended: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def epoch(self) -> int | None:
        """The newest epoch that a node goes by."""
        return max((row["applied_epoch"] for row in self.nodes if row["applied_epoch"]), default=None)

    @property
    def leader(self) -> str | None:
        return next((row["node_id"] for row in self.nodes if row["leader"]), None)


class Watcher:
    """Reads one picture after the other, and remembers which runs it has seen end. ``since``: runs fired before are
    of another life of this cluster."""

    def __init__(self, operations: Operations, since: datetime) -> None:
        self._operations = operations
        self._since = since
        self._details: dict[int, Row] = {}
        self._order: deque[int] = deque()

    def read(self) -> Picture:
        """The cluster now. What cannot be read is left out and noted."""
        notes: list[str] = []
        now = datetime.now(UTC)
        try:
            nodes = self._operations.nodes.listing()
            shards = self._operations.shards.listing()
            jobs = self._operations.jobs.listing()
            runs = self._operations.runs.listing(RunFilter(limit=RUNS_READ))
            ended = self._look_into(runs)
            pictures = self._jobs(jobs, shards.value, runs, now)
        except ShardkeeperError as error:
            return Picture(now, notes=(str(error),))
        notes += [note for note in nodes.notes if not note.startswith(NO_ZOOKEEPER)]
        detailed = tuple(self._details.get(run["id"], run) for run in runs)
        return Picture(now, tuple(nodes.value), pictures, detailed, ended, tuple(dict.fromkeys(notes)))

    def detail(self, run: Row) -> Row:
        """The run with its attempts."""
        known = self._details.get(run["id"])
        return known if known is not None else self._operations.runs.get(str(run["id"]))

    def _jobs(
        self, jobs: list[Row], shards: list[Row], runs: list[Row], now: datetime
    ) -> tuple[JobPicture, ...]:
        owners: dict[str, list[str | None]] = {}
        for row in shards:
            owners.setdefault(row["job_name"], []).append(row["owner"])
        newest: dict[str, list[Row]] = {}
        for run in runs:
            newest.setdefault(run["job_name"], []).append(run)
        return tuple(
            JobPicture(
                row,
                tuple(owners.get(row["name"], ())),
                tuple(reversed(newest.get(row["name"], [])[:LAST_RUNS])),
                self._next_fire(row["name"], now) if number < FIRES_OF_JOBS else None,
            )
            for number, row in enumerate(jobs)
        )

    def _next_fire(self, job: str, now: datetime) -> datetime | None:
        return next(iter(self._operations.jobs.next_fires(job, now, 1).value), None)

    def _look_into(self, runs: Iterable[Row]) -> tuple[Row, ...]:
        fresh = sorted(
            (
                run
                for run in runs
                if run["status"] not in OPEN
                and run["id"] not in self._details
                and (run["finished_at"] or run["created_at"]) >= self._since
            ),
            key=lambda run: (run["finished_at"] or run["created_at"], run["id"]),
        )
        looked = list(islice((self._operations.runs.get(str(run["id"])) for run in fresh), DETAILS_READ))
        looked += fresh[DETAILS_READ:]
        for run in looked:
            self._remember(run)
        return tuple(looked)

    def _remember(self, run: Row) -> None:
        self._details[run["id"]] = run
        self._order.append(run["id"])
        while len(self._order) > 4 * RUNS_READ:
            del self._details[self._order.popleft()]


def lateness(run: Row) -> timedelta | None:
    """From the fire time to the start of the first item; None for what did not start, or not by the clock."""
    if run["started_at"] is None or run["trigger_kind"] != "schedule":
        return None
    late: timedelta = run["started_at"] - run["fire_time"]
    return max(timedelta(0), late)


def took(run: Row) -> timedelta | None:
    """From the start of the first item to the end of the last."""
    if run["started_at"] is None or run["finished_at"] is None:
        return None
    length: timedelta = run["finished_at"] - run["started_at"]
    return length


def nodes_of(run: Row) -> Counter[str]:
    """How many attempts each node had of a run that was looked into."""
    return Counter(one["node_id"] for one in run.get("shard_runs", ()) if one["node_id"])


def first_error(run: Row) -> str | None:
    """What went wrong first, in one line."""
    for one in run.get("shard_runs", ()):
        if one["error_message"]:
            return f"{one['phase']}: {' '.join(str(one['error_message']).split())}"
    return str(run["reason"]) if run["reason"] else None


def short(span: timedelta | None) -> str:
    """A span as people read it: 8 ms, 1.4 s, 3 min."""
    if span is None:
        return ""
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _duration(value: object) -> str:
    return format_duration(value) if isinstance(value, timedelta) else str(value)
