"""What every OperatorStore must do with the parameters of orders: judge them, merged, by the job's JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest

from shardkeeper.domain.errors import OrderRefused
from tests.contract.story import COMPLETED, Story

SCHEMA: dict[str, Any] = {
    "properties": {"path": {"type": "string"}, "size": {"type": "integer", "minimum": 1}},
    "required": ["path", "size"],
}


def thumbnails(story: Story, **columns: Any) -> None:
    """A job that has the size from its ImplSpec, or its own, and must be given a path."""
    story.world.author.put_impl("impl", kind="python", entrypoint="tasks:Task", parameters={"size": 64})
    story.job(every=None, parameters_schema=SCHEMA, **columns)


@pytest.mark.parametrize("wrong", [{}, {"path": 1}, {"path": "a.png", "size": 0}])
def test_whatever_is_ordered_must_fit_the_schema(story: Story, wrong: dict[str, Any]) -> None:
    thumbnails(story)
    operator = story.world.operator
    right = {"path": "a.png"}
    for order in (
        lambda given: operator.trigger("job", given, None, None, "ada"),
        lambda given: operator.submit("job", given, None, 0, None, "ada"),
        lambda given: operator.submit_many("job", [right, given], None, 0, None, "ada"),
    ):
        with pytest.raises(OrderRefused, match="job does not take these parameters"):
            order(wrong)
    assert operator.running_items() == []
    assert operator.trigger("job", right, None, None, "ada")
    assert operator.submit("job", right, None, 0, None, "ada")
    assert len(operator.submit_many("job", [right, right], None, 0, None, "ada")) == 2


def test_what_is_judged_is_what_the_task_will_see(story: Story) -> None:
    thumbnails(story, parameters={"path": "default.png"})
    assert story.world.operator.submit("job", {}, None, 0, None, "ada")
    thumbnails(story, parameters={"size": 0})
    with pytest.raises(OrderRefused, match="size"):
        story.world.operator.submit("job", {"path": "a.png"}, None, 0, None, "ada")
    assert story.world.operator.submit("job", {"path": "a.png", "size": 2}, None, 0, None, "ada")


def test_a_rerun_is_judged_where_its_parameters_are_changed(story: Story) -> None:
    story.job(every=None)
    operator = story.world.operator
    run = operator.trigger("job", {"path": 1}, None, None, "ada")
    assert operator.stop(run, "ada")
    thumbnails(story)
    assert operator.rerun(run, {}, False, "ada")
    with pytest.raises(OrderRefused, match="job does not take these parameters"):
        operator.rerun(run, {"size": 2}, False, "ada")
    assert story.row(operator.rerun(run, {"path": "a.png"}, False, "ada"))["parameters"] == {"path": "a.png"}


def test_what_runs_by_the_clock_is_not_judged(story: Story) -> None:
    story.job(parameters_schema=SCHEMA)
    assert story.status(story.run_to(COMPLETED)) == "COMPLETED"
