"""What every store must do: keep closed runs for as long as their job, or else the setting, says (rule 14)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shardkeeper.ports.operator import RunFilter
from tests.contract.story import COMPLETED, FAILED, A, Story

MONTH_S = 30 * 86_400.0


def kept(story: Story, run_id: int) -> bool:
    return story.world.operator.run(run_id) is not None


def swept(story: Story) -> None:
    """Raise the watermark to the end of the present window, over whatever lies in it."""
    story.apply(story.slice())


def keep_house(story: Story) -> int:
    done = story.world.house.keep_house(A, MONTH_S)
    assert done is not None
    return done.rows_deleted


@pytest.fixture
def kept_short(story: Story) -> Story:
    """Jobs ``short``, whose runs are kept for a minute, and ``job``, which says nothing."""
    story.job("short", retention=timedelta(minutes=1))
    story.job("job")
    return story


def test_runs_of_a_job_with_a_shorter_retention_go_when_it_is_over_and_no_others(kept_short: Story) -> None:
    story = kept_short
    short, other = story.run_to(COMPLETED, "short"), story.run_to(COMPLETED, "job")
    triggered = story.world.operator.trigger("short", {}, None, None, "me")
    (held,) = [each for each in story.claim_pending() if each.key.run_id == triggered]
    story.end(held)
    assert keep_house(story) == 0
    story.world.pass_time(120, fires_too=True)
    story.beat(A)
    swept(story)
    assert keep_house(story) == 2
    assert [kept(story, each) for each in (short, triggered, other)] == [False, False, True]


def test_an_open_run_stays_however_old_it_is(kept_short: Story) -> None:
    story = kept_short
    held = story.running("short")
    story.world.pass_time(3600, fires_too=True)
    swept(story)
    assert keep_house(story) == 0
    assert kept(story, held.key.run_id)


def test_a_run_whose_fire_the_sweep_has_not_passed_stays_or_it_would_be_made_again(kept_short: Story) -> None:
    story = kept_short
    run = story.run_to(COMPLETED, "short")
    story.world.pass_time(120, fires_too=True)
    keep_house(story)
    assert kept(story, run)
    swept(story)
    keep_house(story)
    assert not kept(story, run)


def test_a_job_that_no_longer_has_a_retention_keeps_its_runs_as_all_do(kept_short: Story) -> None:
    story = kept_short
    run = story.run_to(COMPLETED, "short")
    story.job("short", retention=None)
    story.world.pass_time(120, fires_too=True)
    swept(story)
    assert keep_house(story) == 0
    assert kept(story, run)


def test_a_job_with_a_longer_retention_keeps_its_runs(story: Story) -> None:
    story.job("long", retention=timedelta(days=60))
    run = story.run_to(COMPLETED, "long")
    story.world.pass_time(MONTH_S + 5 * 86_400, fires_too=True)
    keep_house(story)
    assert kept(story, run)


def test_what_waits_for_others_longer_than_all_is_kept_is_forgotten(story: Story) -> None:
    for job in ("a", "b"):
        story.job(job, retention=timedelta(days=60))
    story.world.author.put_job("c", impl_spec="impl", follows={"jobs": ["a", "b"]})
    fire = story.world.now()
    first = story.ask(story.request("a", fire)).claimed[0]
    second = story.ask(story.request("b", fire)).claimed[0]
    story.end(first)
    story.end(second, FAILED)
    story.world.pass_time(MONTH_S + 60)
    keep_house(story)
    rerun = story.world.operator.rerun(second.key.run_id, {}, False, "me")
    story.end(story.claim_pending()[0])
    assert story.status(rerun) == "COMPLETED"
    assert story.world.operator.runs(RunFilter(job="c")) == []
