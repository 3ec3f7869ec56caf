"""The timeline of `make faults`: which nemesis strikes when is drawn from the options, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.faults.nemeses.lineup import NEMESES
from bench.faults.options import Options
from bench.faults.plan import lasts_s, plan

OPTIONS = Options()


def names(options: Options, *lacking: str) -> list[str]:
    return [step.nemesis.name for step in plan(options, lacking)]


def test_each_strikes_once() -> None:
    assert sorted(names(OPTIONS)) == sorted(NEMESES)


def test_a_seed_is_a_timeline() -> None:
    assert plan(OPTIONS) == plan(OPTIONS)
    assert names(OPTIONS) != names(replace(OPTIONS, seed=2))


def test_only_those_strike_that_were_asked_for() -> None:
    assert sorted(names(replace(OPTIONS, nemeses=("node killed", "tables locked")))) == [
        "node killed",
        "tables locked",
    ]


def test_one_that_there_is_not_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"no nemesis is called earthquake; there are: .*node killed"):
        plan(replace(OPTIONS, nemeses=("earthquake",)))


def test_what_the_machine_lacks_leaves_the_others_as_they_are() -> None:
    needing = [name for name, nemesis in NEMESES.items() if nemesis.needs == "clock"]
    assert needing
    assert plan(OPTIONS, ("clock",)) == tuple(
        step for step in plan(OPTIONS) if step.nemesis.name not in needing
    )


def test_the_scale_is_of_what_holds_and_not_of_sessions_and_outages() -> None:
    whole = {step.nemesis.name: step.holds_s for step in plan(OPTIONS)}
    half = {step.nemesis.name: step.holds_s for step in plan(replace(OPTIONS, scale=0.5))}
    assert half["node killed"] == whole["node killed"] / 2
    assert half["node paused for long"] == whole["node paused for long"] == 5 * OPTIONS.session_timeout_s
    assert half["PostgreSQL away"] == whole["PostgreSQL away"] == OPTIONS.outage_s


def test_a_long_pause_is_longer_than_the_session_and_a_brief_one_shorter() -> None:
    holds = {step.nemesis.name: step.holds_s for step in plan(OPTIONS)}
    assert holds["node paused briefly"] < OPTIONS.session_timeout_s < holds["ensemble frozen"]
    assert holds["session expired"] > OPTIONS.session_timeout_s


def test_the_whole_takes_about_ten_minutes_whatever_the_seed() -> None:
    lengths = [lasts_s(plan(replace(OPTIONS, seed=seed))) for seed in range(50)]
    assert max(lengths) < 600


def test_between_two_strikes_there_is_calm() -> None:
    assert all(step.calm_s >= OPTIONS.calm_s / 2 for step in plan(OPTIONS))
