"""Workers are made for what jobs ask before there is an attempt."""

from __future__ import annotations

from typing import Any

import pytest

from shardkeeper.domain.catalog import ImplHistory, ImplInForce, JobHistory
from shardkeeper.domain.planner.actions import Action, Warm
from shardkeeper.domain.planner.events import SpecsRead
from shardkeeper.domain.specs import ImplSpec, ImplVersion, Isolation, JobSpec, JobVersion, Kind
from tests.domain.planner.desk import LONG_AGO, T0, Desk, of


def impl(isolation: Isolation, number: int) -> ImplHistory:
    spec = ImplSpec(f"in-{isolation}", Kind.PYTHON, "m:C", isolation=isolation)
    return ImplHistory((ImplInForce(LONG_AGO, None, ImplVersion(spec, (), number)),))


IMPLS = {f"in-{isolation}": impl(isolation, 1 + number) for number, isolation in enumerate(Isolation)}


def read(desk: Desk, *jobs: str, isolation: Isolation, deleted: bool = False, **spec: Any) -> list[Action]:
    """What is done about these jobs, which are read."""
    until = T0 if deleted else None
    histories = {
        name: JobHistory(
            (JobVersion(JobSpec(name, f"in-{isolation}", **spec), 10 + number, LONG_AGO, until),)
        )
        for number, name in enumerate(jobs)
    }
    return desk.tell(SpecsRead(histories, IMPLS))


def test_each_isolation_is_warmed_once_when_the_first_job_asks_for_it() -> None:
    desk = Desk().up()
    assert of(read(desk, "a", "b", isolation=Isolation.PROCESS), Warm) == [Warm(Isolation.PROCESS)]
    assert of(read(desk, "c", isolation=Isolation.PROCESS), Warm) == []
    assert of(read(desk, "d", isolation=Isolation.THREAD), Warm) == [Warm(Isolation.THREAD)]


@pytest.mark.parametrize(
    "spec", [{"deleted": True}, {"enabled": False}, {"node_selector": {"zone": "elsewhere"}}]
)
def test_what_only_a_job_asks_for_that_does_not_run_here_is_not_warmed(spec: dict[str, Any]) -> None:
    desk = Desk().up()
    assert of(read(desk, "a", isolation=Isolation.THREAD, **spec), Warm) == []
    assert of(read(desk, "b", isolation=Isolation.THREAD), Warm) == [Warm(Isolation.THREAD)]
