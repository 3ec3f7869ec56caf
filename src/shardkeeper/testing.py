"""Try a task in a test, without any server: ``run_task`` runs its phases in the caller's process."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shardkeeper.phases import Phases, has_values
from shardkeeper.task import CalculateValue, DistributeTask, ShardContext, Source


@dataclass(slots=True)
class TaskRun:
    """What a task did. ``result``: what goes to the item's result (None when there are values); ``values`` by
    their order.
    """

    result: Any = None
    values: list[CalculateValue] = field(default_factory=list)
    times_ms: dict[str, float] = field(default_factory=dict)
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    progress: list[tuple[float | None, str]] = field(default_factory=list)

    def by_key(self) -> dict[str, Any]:
        """The values by key."""
        return {value.key: value.value for value in self.values}


def run_task(
    task: type[DistributeTask],
    *,
    item: int = 0,
    sharding_total_count: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    sources: Iterable[Source | Mapping[str, Any] | str] = (),
    item_parameter: str | None = None,
    fire_time: datetime | None = None,
    checkpoint: Mapping[str, Any] | None = None,
    attempt: int = 1,
    cancelled: bool = False,
    job_name: str = "test",
    compensates: bool = False,
) -> TaskRun:
    """Run ``task`` as a worker would, JSON checks included, and return what it did; what it raises passes
    through.

    ``sources``: Source objects, mappings (``key``, ``weight``, ``location``, ``parameters``) or plain
    locations. ``fire_time``: aware; now, to the second, when not given. ``compensates``: run ``compensate`` alone, as
    is done when a run has failed for good.
    """
    at = (fire_time or datetime.now(UTC).replace(microsecond=0)).astimezone(UTC)
    fields = {
        "job_name": job_name,
        "run_id": 1,
        "run_name": f"{job_name}@{at:%Y-%m-%dT%H:%M:%SZ}",
        "fire_time": at.isoformat(),
        "item": item,
        "sharding_total_count": sharding_total_count or item + 1,
        "item_parameter": item_parameter,
        "parameters": _json(dict(parameters or {})),
        "sources": [_source(source) for source in sources],
        "attempt": attempt,
        "node_id": "test",
        "checkpoint": _json(dict(checkpoint or {})),
    }
    run = TaskRun()
    phases = Phases(lambda phase: None)
    context = ShardContext(fields, logging.getLogger("shardkeeper.task"), _Host(run, cancelled))
    if compensates:
        phases.compensate(task(), context)
    else:
        phases.run(task(), context)
    run.times_ms = phases.times_ms
    if has_values(phases.calculated):
        run.values = [CalculateValue(one.key, _json(one.value), one.weight) for one in phases.calculated]
    else:
        run.result = _json(phases.calculated)
    return run


class _Host:
    def __init__(self, run: TaskRun, cancelled: bool) -> None:
        self._run = run
        self._cancelled = cancelled

    def cancelled(self) -> bool:
        return self._cancelled

    def save_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        self._run.checkpoints.append(_json(dict(checkpoint)))

    def progress(self, fraction: float | None, message: str) -> None:
        self._run.progress.append((fraction, message))


def _source(source: Source | Mapping[str, Any] | str) -> Mapping[str, Any]:
    if isinstance(source, str):
        return {"key": source, "location": source}
    if isinstance(source, Source):
        return {
            "key": source.key,
            "weight": source.weight,
            "location": source.location,
            "parameters": dict(source.parameters),
        }
    return source


def _json(value: Any) -> Any:
    """As it comes back from the store; TypeError or ValueError when it is not JSON (NaN is not)."""
    return json.loads(json.dumps(value, allow_nan=False))
