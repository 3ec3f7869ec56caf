"""What every order of a run has in common: the versions it runs under, what its parameters must be, its attempts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shardkeeper.domain.attempts import POINT_OF_PRIORITY
from shardkeeper.domain.errors import OrderRefused
from shardkeeper.domain.leases import LeaseState
from shardkeeper.domain.runs import TriggerKind
from shardkeeper.domain.specs import Strategy
from shardkeeper.domain.view import matches
from shardkeeper.memory.creation import insert_run, new_run
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.rows import ImplVersion, JobTerms, JobVersion, Run
from shardkeeper.memory.storable import why_not_storable

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ordered:
    """What a run ordered now runs under. ``nodes``: of each_node, the node of each item."""

    version: JobVersion
    terms: JobTerms
    impl: ImplVersion
    nodes: Sequence[str] | None

    @property
    def total(self) -> int:
        return self.terms.sharding_total_count if self.nodes is None else len(self.nodes)


def orderable(database: MemoryDatabase, job: str) -> tuple[JobVersion, JobTerms]:
    """The version under which something ordered now runs. Raises OrderRefused."""
    problem = why_not_storable(job)
    version = None if problem else database.job_in_force(job, database.now())
    if version is None or version.terms is None:
        raise OrderRefused(f"there is no job {job[:100]!r}: `shardkeeper jobs` lists them")
    if not version.terms.enabled:
        raise OrderRefused(f"{job} is disabled: enable it first")
    return version, version.terms


def ordered_now(database: MemoryDatabase, job: str) -> Ordered:
    """The newest versions. Raises OrderRefused."""
    version, terms = orderable(database, job)
    return Ordered(version, terms, impl_now(database, version), nodes_for(database, terms))


def impl_now(database: MemoryDatabase, version: JobVersion) -> ImplVersion:
    """The newest version of the ImplSpec that a job's version names. Raises OrderRefused."""
    assert version.spec is not None
    name = version.spec["impl_spec"]
    impl = database.impl_in_force(name, database.now())
    if impl is None or impl.impl is None:
        raise OrderRefused(f"the ImplSpec {name} of {version.job_name} has no valid version: mend it first")
    return impl


def nodes_for(database: MemoryDatabase, terms: JobTerms) -> list[str] | None:
    """For each_node: the nodes that are eligible as far as the store knows. Raises OrderRefused."""
    if terms.strategy is not Strategy.EACH_NODE:
        return None
    nodes = sorted(
        lease.who.node_id
        for lease in database.newest_lease.values()
        if lease.state is LeaseState.ACTIVE and matches(lease.who.labels, terms.node_selector)
    )
    if not nodes:
        raise OrderRefused("no node is eligible now: start one that has the labels of node_selector")
    return nodes


def check_parameters(database: MemoryDatabase, of: Ordered, parameters: Mapping[str, Any]) -> None:
    """Storable, small enough, and what the job's schema asks for once all are merged. Raises OrderRefused."""
    problem = why_not_storable(parameters)
    if problem is not None:
        raise OrderRefused(f"the parameters cannot be stored: {problem}")
    size, limit = json_bytes(parameters), of.terms.parameters_limit
    name = of.version.job_name
    if size > limit:
        raise OrderRefused(
            f"the parameters are {size} bytes of JSON, and {name} takes {limit}:"
            " put the data elsewhere and name the place"
        )
    if of.terms.parameters_schema is None:
        return
    assert of.version.spec is not None
    assert of.impl.impl is not None
    merged = of.impl.impl.get("parameters", {}) | of.version.spec.get("parameters", {}) | dict(parameters)
    problem = database.parameters_error(of.terms.parameters_schema, merged)
    if problem is not None:
        raise OrderRefused(
            f"{name} does not take these parameters: {problem}: its parameters_schema says what it takes"
        )


def json_bytes(value: Any) -> int:
    """How long PostgreSQL's jsonb is as text."""
    return len(json.dumps(value, ensure_ascii=False, default=list).encode())


def check_fire_time(fire_time: datetime) -> None:
    """Raises OrderRefused for what partitions are not made for."""
    if not _FIRST <= fire_time < _LAST:
        raise OrderRefused("the fire time is not in the years 1970 to 9999: give another instant")


def insert_ordered(
    database: MemoryDatabase,
    kind: TriggerKind,
    of: Ordered,
    fire_time: datetime,
    not_before: datetime,
    items: Sequence[int] | None = None,
    *,
    parameters: Mapping[str, Any],
    priority: int,
    by: str | None,
    flow: str | None = None,
    parent_run: int | None = None,
    pulled: bool = False,
) -> Run:
    """Insert a run that nobody's clock brought about, with the first attempts of its items, all PENDING.

    Those of a submission have no owner: whoever has room pulls them by ``claim_key``. So it is with those that are
    ``pulled``: a submission's rerun.
    """
    run = new_run(database, kind, of.version, of.terms, fire_time, of.impl.version, of.total)
    run.parameters, run.priority, run.requested_by = parameters, priority, by
    run.flow, run.parent_run = flow, parent_run
    insert_run(database, run, range(of.total) if items is None else items, of.nodes)
    for rows in run.attempts.values():
        first = rows[0]
        first.not_before = first.claimable_from = not_before
        if of.nodes is None and (pulled or kind is TriggerKind.SUBMIT):
            first.claim_key = not_before - priority * POINT_OF_PRIORITY
    return run
