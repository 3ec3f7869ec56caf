"""Between the planner's words and the workers': a launch becomes an order, and an ending becomes what the planner is
told.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shardkeeper.domain.naming import run_name_at
from shardkeeper.domain.outcomes import Outcome, Progress, ValueRow
from shardkeeper.domain.planner.actions import Launch
from shardkeeper.domain.planner.events import (
    AttemptBegan,
    AttemptOver,
    AttemptsOver,
    CapacityChanged,
    Event,
)
from shardkeeper.domain.runs import AttemptStatus, Phase
from shardkeeper.domain.specs import SourceData
from shardkeeper.ports.workers import (
    AttemptCheckpointed,
    AttemptEnded,
    AttemptOrder,
    AttemptOwes,
    AttemptProgressed,
    AttemptReturned,
    AttemptStarted,
    EndedValue,
    Ending,
    EndingStatus,
    Isolation,
    Kind,
    WorkerEvent,
    WorkersChanged,
    WorkersSaid,
)

_STATUSES = {
    status: AttemptStatus.PENDING if status is EndingStatus.RETRY_LATER else AttemptStatus(status)
    for status in EndingStatus
}


@dataclass(frozen=True, slots=True)
class OrderLimits:
    """Settings that hold for every attempt, in bytes."""

    memory_bytes: int | None = None
    result_bytes: int = 1_048_576


@dataclass(frozen=True, slots=True)
class _Terms:
    """What all attempts under the same versions have in common; most of what is submitted comes by the thousand."""

    kind: Kind
    entrypoint: str
    isolation: Isolation
    parameters: Mapping[str, Any]
    """The ImplSpec's and the job's."""
    item_parameters: Mapping[str, str]
    timeout_s: float | None
    phase_timeouts_s: Mapping[str, float]


class OrderWriter:
    """Turns launches into orders for the workers of this node."""

    KEPT = 1_000
    """Pairs of versions whose terms are remembered; the oldest goes first."""

    def __init__(self, node_id: str, limits: OrderLimits) -> None:
        self._node_id = node_id
        self._limits = limits
        self._terms: OrderedDict[tuple[int, int], _Terms] = OrderedDict()

    def order_of(self, launch: Launch) -> AttemptOrder:
        """What the workers run: exactly the pinned versions, parameters merged (impl, job, run: later wins)."""
        terms = self._terms_of(launch)
        claimed = launch.claimed
        return AttemptOrder(
            claimed.key,
            claimed.claim_no,
            terms.kind,
            terms.entrypoint,
            terms.isolation,
            self._context(launch, terms),
            terms.timeout_s,
            terms.phase_timeouts_s,
            self._limits.memory_bytes,
            self._limits.result_bytes,
            claimed.compensates,
        )

    def _context(self, launch: Launch, terms: _Terms) -> Mapping[str, Any]:
        key, run = launch.claimed.key, launch.claimed.run
        own, fire_time = run.parameters, key.fire_time.isoformat()
        context: dict[str, Any] = {
            "job_name": run.job_name,
            "run_id": key.run_id,
            "run_name": run_name_at(run.job_name, fire_time),
            "fire_time": fire_time,
            "item": key.item,
            "sharding_total_count": run.sharding_total_count,
            "parameters": {**terms.parameters, **own} if own else terms.parameters,
            "sources": [_source(source) for source in launch.sources] if launch.sources else [],
            "attempt": key.attempt,
            "node_id": self._node_id,
            "checkpoint": dict(launch.claimed.checkpoint) if launch.claimed.checkpoint else {},
        }
        if terms.item_parameters and (parameter := terms.item_parameters.get(str(key.item))) is not None:
            context["item_parameter"] = parameter
        return context

    def _terms_of(self, launch: Launch) -> _Terms:
        versions = (launch.job.version, launch.impl.version)
        terms = self._terms.get(versions)
        if terms is None:
            terms = self._terms[versions] = _terms(launch)
            while len(self._terms) > self.KEPT:
                self._terms.popitem(last=False)
        return terms


def _terms(launch: Launch) -> _Terms:
    spec, impl = launch.job.spec, launch.impl.impl
    return _Terms(
        kind=impl.kind.value,
        entrypoint=impl.entrypoint,
        isolation=impl.isolation.value,
        parameters={**impl.parameters, **spec.parameters},
        item_parameters=spec.sharding_item_parameters,
        timeout_s=None if spec.timeout is None else spec.timeout.total_seconds(),
        phase_timeouts_s={phase: limit.total_seconds() for phase, limit in spec.phase_timeouts.items()},
    )


def _source(source: SourceData) -> dict[str, Any]:
    return {
        "key": source.key,
        "weight": source.weight,
        "location": source.location,
        "parameters": dict(source.parameters),
    }


def events_of(said: WorkersSaid, capacity: int) -> list[Event]:
    """What the planner is told of it, in order. Those that ended go in one event where nothing stands between them.
    ``capacity``: as it is now.
    """
    events: list[Event] = []
    ended: list[AttemptOver] = []
    for told in said.events:
        if type(told) is AttemptEnded:
            ended.append(_over(told))
        elif type(told) is AttemptReturned:
            ended.append(AttemptOver(Outcome(told.key, told.claim_no, AttemptStatus.PENDING)))
        else:
            if ended:
                events.append(AttemptsOver(tuple(ended)))
                ended.clear()
            events += _others(told, capacity)
    if ended:
        events.append(AttemptsOver(tuple(ended)))
    return events


def _others(told: WorkerEvent, capacity: int) -> list[Event]:
    """What does not end an attempt; empty where it does not concern the planner."""
    match told:
        case AttemptStarted(key, claim_no, at, code_version, _, phase):
            return [AttemptBegan(Progress(key, claim_no, phase, started_at=at, code_version=code_version))]
        case AttemptOwes(key, claim_no):
            return [AttemptBegan(Progress(key, claim_no, Phase.CALCULATE, compensable=True))]
        case AttemptProgressed(key, claim_no, phase, fraction, message):
            return [AttemptBegan(Progress(key, claim_no, phase, fraction=fraction, message=message))]
        case AttemptCheckpointed(key, claim_no, checkpoint):
            return [AttemptBegan(Progress(key, claim_no, checkpoint=checkpoint))]
        case WorkersChanged():
            # workers that cannot be kept alive make the node unfit: it claims nothing, and says so
            return [CapacityChanged(capacity, told.problem is None, told.problem)]
        case _:
            return []


def _over(told: AttemptEnded) -> AttemptOver:
    ending = told.ending
    declined = ending.error_message or "it cannot be run here" if ending.decline else None
    return AttemptOver(_outcome(told, ending), declined)


def _outcome(ended: AttemptEnded, ending: Ending) -> Outcome:
    return Outcome(
        ended.key,
        ended.claim_no,
        _STATUSES[ending.status],
        ending.phase,
        ending.started_at,
        ending.finished_at,
        ending.initialize_ms,
        ending.calculate_ms,
        ending.validate_ms,
        ending.result,
        _values(ending.values) if ending.values else (),
        _values(ending.refused_values) if ending.refused_values else (),
        error_type=ending.error_type,
        error_message=ending.error_message,
        traceback=ending.traceback,
        log=ending.log,
        code_version=ending.code_version,
        delay_s=ending.delay_s,
        compensable=ending.compensable,
    )


def _values(values: tuple[EndedValue, ...]) -> tuple[ValueRow, ...]:
    return tuple(ValueRow(value.key, value.value, value.weight) for value in values)
