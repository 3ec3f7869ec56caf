"""Who owns which item now: worked out here just as every node does, from the same view and the same versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from shardkeeper.domain.errors import NotFound
from shardkeeper.domain.problems import shown
from shardkeeper.domain.roster import Roster
from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.domain.schedule import schedule_of
from shardkeeper.domain.sharding import owners
from shardkeeper.domain.specs import JobSpec
from shardkeeper.domain.view import matches
from shardkeeper.node.histories import HistoryReader, Reading
from shardkeeper.node.operations.answer import Answer
from shardkeeper.node.operations.cluster import ClusterReader
from shardkeeper.ports.operator import OperatorStore, Row
from shardkeeper.ports.specs import SpecStore

RUNNING, WAITING, IDLE = "running", "pending", "idle"


class ShardOperations:
    """``now``: the wall clock."""

    def __init__(
        self,
        store: OperatorStore,
        specs: SpecStore,
        cluster: ClusterReader,
        reader: HistoryReader,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._specs = specs
        self._cluster = cluster
        self._reader = reader
        self._now = now

    def listing(self, job: str | None = None, labels: Mapping[str, str] | None = None) -> Answer[list[Row]]:
        """Each item of each scheduled job (or of one), with its owner: jobs on demand have none. Raises NotFound."""
        reading = self._reader.read(self._specs.load() if job is None else self._specs.named([job], []))
        specs, notes = self._in_force(reading, labels or {})
        if job is not None and not specs:
            if not self._store.jobs(name=job):
                raise NotFound(f"there is no job {shown(job)}: `shardkeeper jobs` lists them")
            notes.append(f"{job} has no owners: it runs on demand, or no version of it is valid")
        cluster = self._cluster.read()
        roster, states = cluster.roster(), self._states(job)
        epoch = None if cluster.view is None else cluster.view.epoch
        rows = [row | {"epoch": epoch} for spec in specs for row in _items(spec, roster, states)]
        return Answer(rows, (*cluster.notes, *notes))

    def _in_force(self, reading: Reading, labels: Mapping[str, str]) -> tuple[list[JobSpec], list[str]]:
        now = self._now()
        found = (reading.jobs[name].at(now) for name in sorted(reading.jobs))
        specs = [one.spec for one in found if one is not None]
        notes = [f"{name}: {reason}" for name, reason in sorted(reading.unknown.items())]
        return [s for s in specs if schedule_of(s) is not None and matches(s.labels, labels)], notes

    def _states(self, job: str | None) -> dict[tuple[str, int], str]:
        states: dict[tuple[str, int], str] = {}
        for row in self._store.running_items(job):
            key = (row["job_name"], row["item"])
            if row["status"] == AttemptStatus.RUNNING:
                states[key] = RUNNING
            else:
                states.setdefault(key, WAITING)
        return states


def _items(spec: JobSpec, roster: Roster, states: Mapping[tuple[str, int], str]) -> list[Row]:
    found = owners(spec.name, spec.sharding_total_count, spec.sharding_strategy, roster, spec.node_selector)
    return [
        {
            "job_name": spec.name,
            "item": item,
            "item_parameter": spec.sharding_item_parameters.get(str(item)),
            "owner": owner,
            "strategy": spec.sharding_strategy.value,
            "state": states.get((spec.name, item), IDLE),
        }
        for item, owner in enumerate(found)
    ]
