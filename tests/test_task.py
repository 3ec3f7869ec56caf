"""What users write and how they try it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import shardkeeper
from shardkeeper import CalculateValue, Cancel, DistributeTask, RetryLater, ShardContext, ValidationError
from shardkeeper.task import Source
from shardkeeper.testing import run_task


class Index(DistributeTask):
    def initialize(self, context: ShardContext) -> Any:
        return [source.weight for source in context.sources]

    def calculate(self, context: ShardContext, data: Any) -> Any:
        context.progress(0.5, "half")
        context.save_checkpoint({"at": 1})
        yield CalculateValue("sum", sum(data), 2.0)
        yield CalculateValue("checkpoint", context.checkpoint)

    def validate_calculation(self, context: ShardContext, values: Any) -> None:
        if values[0].value > context.parameters["most"]:
            raise ValidationError("too much")


def test_run_task_runs_all_phases_and_shows_what_the_task_did() -> None:
    run = run_task(
        Index,
        item=1,
        parameters={"most": 10},
        sources=["http://a", {"key": "b", "weight": 2}, Source("c", 3.0)],
        checkpoint={"old": True},
    )
    assert run.by_key() == {"sum": 6.0, "checkpoint": {"at": 1}}
    assert run.values[0].weight == 2.0
    assert run.result is None
    assert run.checkpoints == [{"at": 1}]
    assert run.progress == [(0.5, "half")]
    assert list(run.times_ms) == ["initialize", "calculate", "validate"]


def test_run_task_lets_a_refusal_through() -> None:
    with pytest.raises(ValidationError, match="too much"):
        run_task(Index, parameters={"most": 1}, sources=[Source("c", 3.0)])


class Shows(DistributeTask):
    def calculate(self, context: ShardContext, data: Any) -> Any:
        return {
            "fire_time": context.fire_time.isoformat(),
            "run_name": context.run_name,
            "item": [context.item, context.sharding_total_count, context.item_parameter],
            "cancelled": context.cancelled,
            "data": data,
        }


def test_the_context_says_what_the_item_is_about() -> None:
    at = datetime(2026, 11, 21, 3, tzinfo=UTC)
    run = run_task(
        Shows, item=2, item_parameter="busan", fire_time=at, cancelled=True, job_name="price-index"
    )
    assert run.result == {
        "fire_time": "2026-11-21T03:00:00+00:00",
        "run_name": "price-index@2026-11-21T03:00:00Z",
        "item": [2, 3, "busan"],
        "cancelled": True,
        "data": None,
    }


class Returns(DistributeTask):
    def calculate(self, context: ShardContext, data: Any) -> Any:
        return context.parameters["value"] if "value" in context.parameters else object()


def test_run_task_refuses_what_a_worker_would_refuse() -> None:
    with pytest.raises(TypeError):
        run_task(Returns)
    with pytest.raises(NotImplementedError):
        run_task(DistributeTask)


class Twice(DistributeTask):
    def calculate(self, context: ShardContext, data: Any) -> Any:
        return (CalculateValue("a", 1), CalculateValue("a", 2))


def test_values_with_one_key_are_refused() -> None:
    with pytest.raises(ValueError, match="two values with the key 'a'"):
        run_task(Twice)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e12])
def test_retry_later_needs_a_time_to_come(seconds: float) -> None:
    with pytest.raises(ValueError, match="from 0 to"):
        RetryLater(seconds)


def test_signals_carry_their_reasons() -> None:
    assert str(RetryLater(5)) == "again in 5 s"
    assert str(Cancel()) == "cancelled by the task"


def test_everything_a_task_needs_is_exported() -> None:
    assert {
        "CalculateValue",
        "DistributeTask",
        "ShardContext",
        "ValidationError",
        "RetryLater",
        "Cancel",
    } <= set(shardkeeper.__all__)


class Undoes(DistributeTask):
    def calculate(self, context: ShardContext, data: Any) -> Any:
        raise RuntimeError("not called")

    def compensate(self, context: ShardContext) -> None:
        context.save_checkpoint({"undone": context.parameters["what"]})


def test_run_task_compensates_alone_when_asked_to() -> None:
    run = run_task(Undoes, parameters={"what": "all"}, compensates=True)
    assert (run.result, run.values, list(run.times_ms)) == (None, [], ["compensate"])
    assert run.checkpoints == [{"undone": "all"}]
