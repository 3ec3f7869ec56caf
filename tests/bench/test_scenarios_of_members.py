"""What the scenarios of views, specs and kills read and compute, without any server."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from bench.figures import MIB
from bench.scenarios import specs, takeover
from bench.scenarios.probes import Begun, moved
from bench.scenarios.rare_jobs import far_day
from bench.scenarios.views import Published, told_at
from bench.waiting import wait_for
from bench.zookeeper import Standing

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
VIEW = Published(7, ("node-1", "node-2"), NOON)


def test_the_day_of_the_rare_jobs_is_months_away_and_in_every_calendar() -> None:
    for today in (date(2028, 2, 29), date(2026, 12, 31), date(2026, 8, 31)):
        assert timedelta(days=150) < far_day(today) - today < timedelta(days=215)


def test_a_node_went_by_a_view_when_it_first_told_of_that_epoch() -> None:
    lines = [
        "Traceback of somebody",
        '{"event": "members changed", "epoch": 6, "timestamp": "2026-11-21T12:00:00Z"}',
        '{"event": "view published", "epoch": 7, "timestamp": "2026-11-21T12:00:01Z"}',
        '{"event": "members changed", "epoch": 7, "timestamp": "2026-11-21T12:00:02Z"}',
        '{"event": "members changed", "epoch": 7, "timestamp": "2026-11-21T12:00:03Z"}',
    ]
    assert told_at(lines, VIEW) == NOON + timedelta(seconds=2)
    assert told_at(lines[:3], VIEW) is None


def test_only_what_ran_on_its_new_owner_and_had_another_one_before_has_moved() -> None:
    both, one = ("node-1", "node-2"), ("node-1",)
    ran = [Begun(f"probe-{number}", NOON, "node-1", NOON) for number in range(100)]
    found = moved(ran, both, one)
    # those of node-2 come to node-1; those of node-1 were there before
    assert 25 < len(found) < 75
    assert moved(ran, both, both) == []
    assert moved([Begun(each.name, NOON, "node-2", NOON) for each in ran], both, one) == []


def test_a_start_is_counted_less_the_one_without_specs() -> None:
    znodes = Standing(10, 4, 1024, 50, 100), Standing(12, 4, 1024, 60, 200)
    bare = specs.Start(1.5, 90 * MIB, 95 * MIB, {}, znodes[0])
    few = specs.Start(1.4, 91 * MIB, 96 * MIB, {}, znodes[0])
    many = specs.Start(4.0, 190 * MIB, 300 * MIB, {}, znodes[1])
    found = specs.figures(bare, {1: few, 100 * MIB: many})
    assert found["load_1"] == 0.0, "noise is not less than nothing"
    assert found[f"load_{100 * MIB}"] == pytest.approx(2.5)
    assert found[f"peak_{100 * MIB}"] == 300
    assert found["per_job"] == pytest.approx(1.0)
    assert found["grown"] == 2


def test_of_a_kill_the_last_attempt_to_move_counts_and_of_kills_the_median() -> None:
    kills = [
        takeover.Kill((4.0, 5.0), (0.1, 2.5), 0),
        takeover.Kill((4.5, 9.0), (0.1, 1.5, 1.2), 1),
        takeover.Kill((), (0.3,), 0),
        takeover.Kill((4.1, 6.0), (0.2, 3.0), 2),
    ]
    found = takeover.figures(kills)
    assert (found["moved"], found["moved_worst"], found["first_moved"]) == (6.0, 9.0, 4.1)
    assert (found["late"], found["late_worst"]) == (2.0, 3.0)
    assert found["over_1"] == 1.0
    assert found["missing"] == 3


def test_waiting_ends_with_what_was_found_or_says_what_did_not_come() -> None:
    answers = iter((None, None, 3))
    assert wait_for(lambda: next(answers), "a number", every_s=0.0) == 3
    with pytest.raises(TimeoutError, match="a number did not come within 0 s"):
        wait_for(lambda: None, "a number", patience_s=0.0, every_s=0.0)
