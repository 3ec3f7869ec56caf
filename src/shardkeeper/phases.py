"""The three phases in their order, or the compensation, timed: the same in a worker process and in ``run_task``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from shardkeeper.task import CalculateValue, DistributeTask, ShardContext

PHASES = ("initialize", "calculate", "validate")


class Phases:
    """Runs one task object once. After ``run``, or after what it raised, the fields say how far it came.

    ``phase``: the phase begun last; ``times_ms``: milliseconds by phase, the one that raised included;
    ``calculated``: what ``calculate`` returned, with an iterator or tuple of CalculateValues made into a
    list.
    """

    __slots__ = ("_entered", "calculated", "phase", "times_ms")

    def __init__(self, entered: Callable[[str], None]) -> None:
        """``entered`` is called with the name of each phase before it begins."""
        self._entered = entered
        self.phase: str | None = None
        self.times_ms: dict[str, float] = {}
        self.calculated: Any = None

    def run(self, task: DistributeTask, context: ShardContext) -> None:
        """Whatever the task raises passes through; TypeError or ValueError for values that are wrong in
        themselves.
        """
        data = self._timed("initialize", task.initialize, context)
        self.calculated = self._timed("calculate", _calculate, task, context, data)
        self._timed("validate", task.validate_calculation, context, self.calculated)

    def compensate(self, task: DistributeTask, context: ShardContext) -> None:
        """Instead of ``run``: the one phase of an attempt that undoes. Whatever the task raises passes through."""
        self._timed("compensate", task.compensate, context)

    def _timed(self, phase: str, function: Callable[..., Any], *arguments: Any) -> Any:
        self.phase = phase
        self._entered(phase)
        began = perf_counter()
        try:
            return function(*arguments)
        finally:
            self.times_ms[phase] = (perf_counter() - began) * 1000.0


def _calculate(task: DistributeTask, context: ShardContext, data: Any) -> Any:
    calculated: Any = task.calculate(context, data)
    if isinstance(calculated, CalculateValue):
        calculated = [calculated]
    elif isinstance(calculated, Iterator):
        # a generator's work is calculation: it is done inside the phase and its time-out
        calculated = list(calculated)
    elif isinstance(calculated, tuple) and has_values(calculated):
        calculated = list(calculated)
    if has_values(calculated):
        _check_values(calculated)
    return calculated


def has_values(calculated: Any) -> bool:
    """Whether this is a list of CalculateValues (then it has no result). An empty list is a result."""
    return (
        isinstance(calculated, list | tuple)
        and bool(calculated)
        and isinstance(calculated[0], CalculateValue)
    )


def _check_values(values: list[Any]) -> None:
    seen: set[str] = set()
    for value in values:
        if not isinstance(value, CalculateValue):
            raise TypeError(f"calculate returned a {type(value).__name__} among its CalculateValues")
        key: Any = value.key
        if not isinstance(key, str) or not key or "\0" in key:
            raise ValueError(f"this key of a CalculateValue cannot be stored: {key!r:.100}")
        if value.key in seen:
            raise ValueError(f"calculate returned two values with the key {value.key!r:.100}")
        seen.add(value.key)
        weight: Any = value.weight
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise TypeError(f"the weight of {value.key!r:.100} is a {type(weight).__name__}, not a number")
        if not math.isfinite(weight) or weight < 0:
            raise ValueError(f"the weight of {value.key!r:.100} is {weight!r}: finite and at least 0, please")
