"""docs/reference/tasks.md says what tasks see, and its examples run."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

import shardkeeper
from shardkeeper import ShardContext, ValidationError, task
from shardkeeper.domain.planner.settings import PlannerSettings
from shardkeeper.domain.validation.impls import HTTP_METHODS
from shardkeeper.specfiles.loading import load_spec_texts
from shardkeeper.testing import TaskRun, run_task
from shardkeeper.workers.settings import WorkersSettings
from tests.docs.pages import code, page, plain, sections, table

PAGE = page("tasks.md")
SECTIONS = sections(PAGE)


def public(of: type) -> set[str]:
    return {name for name in dir(of) if not name.startswith("_")}


@pytest.fixture
def example() -> dict[str, Any]:
    """The names of the page's first example."""
    names: dict[str, Any] = {}
    exec(code(PAGE, "python")[0], names)
    return names


def test_the_context_has_what_is_told() -> None:
    told = {re.sub(r"\(.*", "", plain(row[0])) for row in table(SECTIONS["ShardContext"])}
    assert told == public(ShardContext)


def test_the_phases_are_the_methods_of_a_task() -> None:
    told = {plain(row[0]) for row in table(PAGE)}
    assert told == public(task.DistributeTask)


def test_what_a_task_may_raise_can_be_imported_as_told() -> None:
    raised = [row[0] for row in table(SECTIONS["What it may raise"])][1:]
    for signature in map(plain, raised):
        kind = getattr(shardkeeper, signature.partition("(")[0])
        told = re.findall(r"(\w+)(?:=[^,)]*)?[,)]", signature.partition("(")[2])
        assert kind is ValidationError or list(inspect.signature(kind).parameters) == told


def test_the_example_task_and_its_test_run(example: dict[str, Any]) -> None:
    exec(code(PAGE, "python")[1], example)
    with pytest.raises(ValidationError, match=r"31\.0 is above 30"):
        run_task(
            example["PriceIndex"],
            item_parameter="seoul",
            parameters={"high": 30},
            sources=[{"key": "a", "parameters": {"price": 31}}],
        )


def test_run_task_takes_and_returns_what_is_told() -> None:
    told = PAGE.split("It takes ")[1].split("\n\n")[0]
    taken, returned = (set(re.findall(r"`(\w+)`", part)) for part in told.split("returns"))
    assert taken == set(inspect.signature(run_task).parameters) - {"task"}
    assert returned == public(TaskRun) - {"by_key"}


def test_the_spec_files_of_the_page_are_valid() -> None:
    scripts, whole = code(PAGE, "yaml")
    assert load_spec_texts({"a.yaml": scripts}).impls[0].impl.parameters["args"] == ["/", "99"]
    specs = load_spec_texts({"b.yaml": whole})
    assert [job.name for job in specs.jobs] == ["price-index"]
    assert [source.key for source in specs.impls[0].sources] == ["alpha", "beta"]


def test_the_methods_of_requests_are_those_that_are_allowed() -> None:
    rows = {plain(row[0]): row for row in table(PAGE.split("## A request")[1])}
    assert tuple(rows["method"][2].split(", ")) == HTTP_METHODS
    assert set(rows) == {"method", "headers", "body", "expect_status", "expect_json"}


def test_the_times_of_stopping_and_of_time_outs_are_those_of_the_code() -> None:
    told = PAGE.split("### What it may raise")[1].split("## ")[0]
    asked_s = PlannerSettings(node_id="a").halt_after_s
    grace_s = WorkersSettings().timeout_grace_s
    assert re.findall(r"([\d.]+) s", told) == [f"{asked_s / 2:g}", f"{asked_s:g}", f"{grace_s:g}"]
