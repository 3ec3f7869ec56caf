"""Operations, where the command line's tests do not reach."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shardkeeper.domain.errors import Refused, StoreUnavailable
from shardkeeper.domain.specset import SpecSet
from shardkeeper.domain.validation import Limits
from shardkeeper.memory.operator import MemoryOperator
from shardkeeper.node.histories import HistoryReader
from shardkeeper.node.operations import (
    CheckState,
    ClusterReader,
    HealthOperations,
    ShardOperations,
    SpecOperations,
)
from shardkeeper.node.operations.health import Surroundings
from shardkeeper.node.operations.jobs import fires_of_expression, is_job_name
from shardkeeper.node.operations.runs import RunOperations, run_key
from shardkeeper.node.operations.specs import SpecFiles
from shardkeeper.ports.coordinator import Session, Snapshot
from shardkeeper.ports.operator import OperatorStore, Row
from tests.contract.store_worlds import MemoryWorld
from tests.contract.story import COMPLETED, Story

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def story() -> Story:
    return Story(MemoryWorld())


class Healthy:
    """An operator store of which only the health is asked."""

    def __init__(self, store: OperatorStore, **health: Any) -> None:
        self._store = store
        self._health = health

    def health(self) -> Row:
        return self._store.health() | self._health

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def checks(story: Story, **health: Any) -> dict[str, CheckState]:
    """What the doctor says of each thing looked at."""
    store: Any = Healthy(story.world.operator, **health)
    around = Surroundings(
        schema=lambda: "0001",
        listen=lambda: None,
        now=story.world.now,
        lease_s=4.0,
        session_timeout_s=6.0,
        on_time_window_s=30.0,
        allowed_modules=("acme",),
        slack="by webhook",
        open_doors=(),
    )
    cluster = ClusterReader(store, lambda: Snapshot(Session.CONNECTED, 6.0))
    return {one.name: one.state for one in HealthOperations(store, cluster, around, dict).doctor()}


def test_alerts_that_wait_or_were_given_up_are_told(story: Story) -> None:
    assert checks(story)["alerts"] is CheckState.OK
    assert checks(story, unsent_alerts=3, outbox_problem="ratelimited")["alerts"] is CheckState.WARNING
    assert checks(story, given_up_alerts=1, outbox_problem="invalid_auth")["alerts"] is CheckState.FAILED


def test_a_postgresql_that_forgets_commits_is_told(story: Story) -> None:
    assert checks(story, synchronous_commit="off")["durability"] is CheckState.WARNING
    assert checks(story, synchronous_commit="on", synchronous_standbys="s1")["durability"] is CheckState.OK


def test_each_problem_of_a_spec_is_told(story: Story) -> None:
    assert (
        checks(story, problems=["job-a: cron", "job-b: node-a: not importable"])["specs"]
        is CheckState.WARNING
    )


@pytest.mark.parametrize("run", ["", "-1", "1.0", "²", "9" * 19, "job", "JOB@2026-01-01T00:00:00Z"])
def test_what_is_neither_an_id_nor_a_run_name_is_refused(run: str) -> None:
    with pytest.raises(Refused):
        run_key(run)


def test_ids_are_numbers_and_run_names_are_texts() -> None:
    assert run_key("42") == 42
    assert run_key("job@2026-01-01T00:00:00Z") == "job@2026-01-01T00:00:00Z"


def test_of_runs_with_one_name_the_newest_is_meant(story: Story) -> None:
    story.job()
    first = story.world.operator.trigger("job", {}, None, NOON, "ada")
    second = story.world.operator.trigger("job", {}, None, NOON, "ada")
    assert second > first
    assert (
        RunOperations(story.world.operator, lambda: 0.0, print).get("job@2026-01-01T12:00:00Z")["id"]
        == second
    )


def test_waiting_without_a_limit_goes_on_until_the_run_ends(story: Story) -> None:
    story.job()
    run = story.world.operator.trigger("job", {}, None, None, "ada")
    looks: list[float] = []

    def pause(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 100:
            for held in story.claim_pending():
                story.end(held, COMPLETED)

    assert RunOperations(story.world.operator, lambda: 0.0, pause).wait(run, None)["status"] == "COMPLETED"
    assert len(looks) == 100


def test_an_expression_that_fires_no_more_gives_what_there_is() -> None:
    assert fires_of_expression("0 0 31 12 *", datetime(9999, 1, 1, tzinfo=UTC), 5) == [
        datetime(9999, 12, 31, tzinfo=UTC)
    ]
    assert fires_of_expression("30 s", NOON, 2) == [
        NOON + timedelta(seconds=30),
        NOON + timedelta(seconds=60),
    ]


@pytest.mark.parametrize(
    ("text", "is_name"), [("price-index", True), ("30s", True), ("@hourly", False), ("* * *", False)]
)
def test_what_could_be_a_jobs_name_is_one(text: str, is_name: bool) -> None:
    assert is_job_name(text) is is_name


class Torn(MemoryOperator):
    """A store that goes away between two questions."""

    def running_items(self, job: str | None = None) -> list[Row]:
        raise StoreUnavailable("PostgreSQL: gone")


def test_a_store_that_goes_away_half_way_is_an_error_and_no_half_answer(story: Story) -> None:
    story.job()
    world = story.world
    store = Torn.__new__(Torn)
    store.__dict__.update(world.operator.__dict__)
    cluster = ClusterReader(store, lambda: Snapshot(Session.CONNECTED, 6.0))
    shards = ShardOperations(store, world.specs, cluster, HistoryReader(Limits()), world.now)
    with pytest.raises(StoreUnavailable):
        shards.listing()


def test_an_export_leaves_out_what_cannot_be_read_and_says_so(story: Story) -> None:
    story.job("good")
    story.job("bad", labels={"team": 7})
    specs = SpecOperations(story.world.operator, SpecFiles(lambda paths: SpecSet(), str), [])
    answer = specs.export([])
    assert [job.name for job in answer.value.jobs] == ["good"]
    assert len(answer.notes) == 1
    assert "job bad is left out" in answer.notes[0]
    assert [one.name for one in specs.diff([Path("x")], only_files=False).value] == ["impl", "good"]
