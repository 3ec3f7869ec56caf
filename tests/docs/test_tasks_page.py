"""docs/reference/tasks.md says what tasks see, and its examples run."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

import pytest

import shardkeeper
from shardkeeper import DistributeTask, ShardContext, ValidationError, task
from shardkeeper.domain.planner.settings import PlannerSettings
from shardkeeper.domain.validation.impls import HTTP_METHODS
from shardkeeper.specfiles.loading import load_spec_texts
from shardkeeper.tasks import node_settings
from shardkeeper.tasks.addresses import refusal
from shardkeeper.tasks.hops import LONGEST_URL
from shardkeeper.tasks.http_get import KEPT_HEADERS, HttpGet
from shardkeeper.tasks.image_resize import LONGEST_SIDE, MOST_PIXELS, READABLE, ImageResize
from shardkeeper.tasks.sleep import LONGEST_S, SLICE_S, Sleep
from shardkeeper.tasks.sql import LONGEST_STATEMENT, Sql
from shardkeeper.testing import TaskRun, run_task
from shardkeeper.workers.settings import WorkersSettings
from tests.contract.postgres_world import upgrade
from tests.docs.pages import code, page, plain, sections, table
from tests.servers import PostgresPool

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


PARAMETERS: dict[str, tuple[type[DistributeTask], dict[str, Any]]] = {
    "sleep": (Sleep, {"seconds": 0}),
    "http-get": (HttpGet, {"url": "https://example.org/"}),
    "image-resize": (ImageResize, {"source": "a.png", "target": "b", "width": 1}),
    "sql": (Sql, {"connection": "a", "statement": "SELECT 1"}),
}
"""What each built-in task is and needs at the least."""


class Asked(dict[str, Any]):
    """Parameters that note what they are asked for."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().get(key, default)


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_parameters_of_a_built_in_task_are_those_it_reads(name: str) -> None:
    kind, given = PARAMETERS[name]
    context = ShardContext.__new__(ShardContext)
    context.parameters = asked = Asked(given)
    node_settings.tell({"file_dirs": ["/srv"]})
    try:
        wish = kind().initialize(context)
    finally:
        node_settings.tell({})
    rows = {plain(row[0]): plain(row[1]) for row in table(SECTIONS[name])}
    assert set(rows) == asked.names
    made = ("required", "none", "200 to 299", "{}")
    for parameter, default in rows.items():
        if default not in made and not default.startswith("by "):
            assert default.lower() == str(getattr(wish, parameter)).removesuffix(".0").lower(), parameter


def test_the_bounds_told_of_built_in_tasks_are_those_of_the_code() -> None:
    assert f"{LONGEST_S:,.0f}" in SECTIONS["sleep"]
    assert f"{SLICE_S:g} s" in SECTIONS["sleep"]
    assert f"{LONGEST_URL:,} characters" in SECTIONS["http-get"]
    assert ", ".join(KEPT_HEADERS).replace("\n", " ") in " ".join(SECTIONS["http-get"].split())
    assert f"1 to {LONGEST_SIDE:,}" in SECTIONS["image-resize"]
    assert f"up to {MOST_PIXELS:,}" in SECTIONS["image-resize"]
    assert f"{', '.join(READABLE[:-1])} and {READABLE[-1]} are read" in SECTIONS["image-resize"]
    assert f"{LONGEST_STATEMENT:,} characters" in SECTIONS["sql"]


def test_the_addresses_told_to_be_refused_are() -> None:
    for kind, examples, _ in table(SECTIONS["http-get"].split("Refused are")[1]):
        for example in examples.split(", "):
            assert refusal(str(ip_network(example)[0])) is not None, kind


def test_the_jobs_of_built_in_tasks_are_valid_and_can_be_submitted(
    postgres_pool: PostgresPool,
) -> None:
    (statements,) = code(PAGE, "sql")
    jobs, *submissions = statements.split(";\n")
    with postgres_pool.database(18, upgrade) as database, database.connect() as connection:
        connection.execute(jobs)
        runs = [connection.execute(one).fetchone() for one in submissions if one.strip()]
        assert len(runs) == len(PARAMETERS)
        used = connection.execute("SELECT impl_spec FROM shardkeeper.job_spec ORDER BY 1").fetchall()
    assert [name for (name,) in used] == sorted(PARAMETERS)


def test_the_times_of_stopping_and_of_time_outs_are_those_of_the_code() -> None:
    told = PAGE.split("### What it may raise")[1].split("## ")[0]
    asked_s = PlannerSettings(node_id="a").halt_after_s
    grace_s = WorkersSettings().timeout_grace_s
    assert re.findall(r"([\d.]+) s", told) == [f"{asked_s / 2:g}", f"{asked_s:g}", f"{grace_s:g}"]
