"""What every OperatorStore must do for the filling of gaps: tell of the past, and insert runs for fires without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shardkeeper.domain.accounting import DueRun
from shardkeeper.domain.errors import OrderRefused
from shardkeeper.domain.runs import RunStatus
from shardkeeper.domain.validation import Limits
from shardkeeper.node.histories import HistoryReader
from shardkeeper.node.operations import BackfillOperations
from shardkeeper.ports.duties import RangeRecord
from tests.contract.story import Story

DAY = datetime(2026, 1, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hourly(story: Story, job: str = "job", **columns: object) -> None:
    story.job(job, **{"every": HOUR, "overlap": "allow", **columns})


def backfill(
    story: Story, hours: int, start: datetime = DAY, limit: int = 100, job: str = "job"
) -> list[int]:
    operations = BackfillOperations(story.world.operator, HistoryReader(Limits()))
    return operations.backfill(job, start, start + hours * HOUR, limit, "ada")


def fires(story: Story, runs: list[int]) -> list[datetime]:
    return [story.row(run)["fire_time"] for run in runs]


def test_every_fire_without_a_run_gets_one_oldest_first(story: Story) -> None:
    hourly(story, sharding_total_count=2)
    runs = backfill(story, 3)
    assert fires(story, runs) == [DAY, DAY + HOUR, DAY + 2 * HOUR]
    row = story.row(runs[0])
    assert (row["trigger_kind"], row["requested_by"], row["job_version"]) == (
        "backfill",
        "ada",
        story.version(),
    )
    assert story.statuses(runs[2]) == ["PENDING", "PENDING"]


def test_the_same_again_fills_nothing(story: Story) -> None:
    hourly(story)
    first = backfill(story, 2)
    assert backfill(story, 2) == []
    assert fires(story, backfill(story, 4)) == [DAY + 2 * HOUR, DAY + 3 * HOUR]
    story.world.operator.stop(first[0], "ada")
    assert backfill(story, 4) == []


def test_what_has_a_run_by_the_time_it_is_inserted_is_left_out(story: Story) -> None:
    hourly(story)
    backfill(story, 1)
    due = DueRun("job", DAY, story.version(), story.impl_version(), 1)
    later = DueRun("job", DAY + HOUR, story.version(), story.impl_version(), 1)
    assert fires(story, story.world.operator.backfill("job", [later, due], "ada")) == [DAY + HOUR]


def test_what_stands_as_missed_is_filled(story: Story) -> None:
    hourly(story, misfire="skip")
    story.world.pass_time(story.world.on_time_window_s + 10)
    swept = story.slice()
    fire = swept.window_until.replace(minute=0, second=0, microsecond=0)
    missed = RangeRecord("job", story.version(), RunStatus.MISSED, fire, fire, 1, "misfire policy skip")
    assert story.apply(swept, records=[missed])
    assert fires(story, backfill(story, 1, fire)) == [fire]


def test_what_the_sweep_has_not_come_to_is_left_to_it(story: Story) -> None:
    hourly(story)
    ahead = (story.world.now() + 2 * HOUR).replace(minute=0, second=0, microsecond=0)
    assert backfill(story, 5, ahead) == []


def test_with_overlap_they_wait_for_one_another(story: Story) -> None:
    hourly(story, overlap="skip")
    first, second, third = backfill(story, 3)
    assert [story.row(run)["waiting"] for run in (first, second, third)] == [False, True, True]
    (held,) = story.claim_pending()
    assert held.key.run_id == first
    story.end(held)
    assert [each.key.run_id for each in story.pending()] == [second]


def test_each_fire_runs_under_the_version_that_was_in_force_the_first_for_what_lies_before(
    story: Story,
) -> None:
    hourly(story)
    first = story.version()
    hourly(story, every=2 * HOUR)
    runs = backfill(story, 3)
    assert {story.row(run)["job_version"] for run in runs} == {first}
    assert len(runs) == 3


def test_too_many_at_once_are_refused_and_nothing_is_inserted(story: Story) -> None:
    hourly(story)
    with pytest.raises(OrderRefused, match="more than 3 fires of job have no run"):
        backfill(story, 4, limit=3)
    assert len(backfill(story, 3, limit=3)) == 3


def test_what_cannot_be_filled_is_refused_with_the_reason(story: Story) -> None:
    hourly(story, enabled=False)
    hourly(story, "each", sharding_strategy="each_node", node_selector={"zone": "x"})
    story.job("demand", every=None)
    with pytest.raises(OrderRefused, match="disabled"):
        backfill(story, 3)
    with pytest.raises(OrderRefused, match="no eligible node"):
        backfill(story, 3, job="each")
    with pytest.raises(OrderRefused, match="no schedule"):
        backfill(story, 3, job="demand")
    with pytest.raises(OrderRefused, match="nobody"):
        backfill(story, 3, job="nobody")
    with pytest.raises(OrderRefused, match="--until"):
        backfill(story, 0)


def test_of_each_node_every_eligible_node_has_an_item(story: Story) -> None:
    hourly(story, sharding_strategy="each_node")
    (run,) = backfill(story, 1)
    assert [each["pinned_node"] for each in story.attempts(run)] == ["node-a", "node-b"]
