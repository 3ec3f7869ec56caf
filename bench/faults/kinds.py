"""The kinds of tasks in a run of faults: how each runs, how it must end, how often it is drawn."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MODULE = "faults_tasks"
"""What nodes must be allowed to import (SHARDKEEPER_TASKS__ALLOWED_MODULES); it lies in bench/tasks."""


@dataclass(frozen=True, slots=True)
class Kind:
    """``name``: of the ImplSpec; ``task``: its class in bench/tasks/faults_tasks.py.

    ``jobs``: share of it among the scheduled jobs; ``submitted``: among what is submitted. ``ms``: how long it takes,
    from and to, in milliseconds (of each step where it has ``steps``). ``most_items``: of a scheduled job.
    ``period_s``: of a scheduled job, from and to; so long that two cores, which everything shares here, have something
    left at a whole minute, when most jobs are due at once. ``values``: how many it calculates. ``completes``: False:
    all its tries fail.
    """

    name: str
    task: str
    jobs: float = 0.0
    submitted: float = 0.0
    ms: tuple[int, int] = (0, 0)
    steps: int = 0
    values: int = 0
    most_items: int = 7
    period_s: tuple[float, float] = (1.5, 30.0)
    isolation: str = "process"
    on_lease_loss: str = "continue"
    max_attempts: int = 4
    completes: bool = True
    kills_worker: bool = False

    def parameters(self, rng: random.Random) -> Mapping[str, Any]:
        """What a job, or a submission, of it is given."""
        given: dict[str, Any] = {}
        if self.ms[1]:
            given["ms"] = rng.randint(*self.ms)
        if self.steps:
            given["steps"] = self.steps
        if self.values:
            given["values"] = self.values
        return given


KINDS = (
    Kind("noop", "Witness", jobs=42, submitted=50),
    Kind("thread-noop", "Witness", jobs=17, submitted=20, isolation="thread"),
    Kind("brief", "Witness", jobs=10, submitted=12, ms=(50, 200), most_items=3),
    Kind("thread-brief", "Witness", jobs=6, ms=(50, 200), most_items=3, isolation="thread"),
    Kind("values", "Values", jobs=10, submitted=8, values=3),
    Kind("flaky", "FailsFirst", jobs=4, submitted=4, most_items=3, period_s=(3.0, 30.0)),
    Kind("steps", "Steps", jobs=5, submitted=5, ms=(30, 90), steps=5, most_items=3, period_s=(3.0, 30.0)),
    Kind(
        "careful", "Witness", jobs=3, ms=(300, 1500), most_items=2, period_s=(4.0, 20.0), on_lease_loss="stop"
    ),
    # few of both: a long one keeps a worker from all others, a failure makes an alert
    Kind(
        "long",
        "Steps",
        jobs=1.3,
        submitted=0.2,
        ms=(500, 1000),
        steps=20,
        most_items=1,
        period_s=(20.0, 30.0),
    ),
    Kind(
        "undone",
        "Undone",
        jobs=1.3,
        submitted=0.8,
        most_items=2,
        period_s=(8.0, 20.0),
        max_attempts=2,
        completes=False,
    ),
    # by the nemesis alone: each takes workers with it, and supervisors space the starts of those that come after
    Kind("poison", "Poison", max_attempts=3, completes=False, kills_worker=True),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def demand_job(kind: str) -> str:
    """The name of the job on demand of a kind."""
    return f"demand-{kind}"
