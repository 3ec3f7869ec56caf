"""What is measured in a history of faults, and how it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.faults.accounts import Accounts
from bench.faults.figures import Delivery, Overlapping, Recovery, Spread, Takeovers, figures, spread
from bench.faults.page import page, write_page
from bench.faults.plot import draw
from bench.faults.report import in_words, lines
from bench.faults.violation import Violation
from tests.bench.faults_histories import (
    AT,
    ONE,
    TWO,
    attempt,
    band,
    execution,
    good,
    history,
    job,
    outage,
    run,
)


def test_every_due_fire_has_a_fate() -> None:
    assert figures(good()).accounts == Accounts(due=12, ran=11, made_up=0, skipped=1, missed=0, lost=0)
    assert figures(outage()).accounts == Accounts(due=7, ran=5, made_up=1, skipped=0, missed=1, lost=0)
    gone = replace(good(), runs={number: one for number, one in good().runs.items() if number != 2})
    assert figures(gone).accounts == Accounts(due=12, ran=10, made_up=0, skipped=1, missed=0, lost=1)


def test_lateness_is_told_by_the_fault_in_which_the_fire_was_due() -> None:
    late = history(
        [job("ticks", every_s=10.0)],
        [run(number, "ticks", number * 10.0 - 10.0) for number in (1, 2, 3)],
        executions=[
            execution(number, "ticks", begins_s) for number, begins_s in ((1, 0.25), (2, 12.0), (3, 20.5))
        ],
        # the second is mended before the third fire, and counts until the session of what is missed has ended
        bands=[band("node killed", ONE, 9.0, 11.0), band("node paused for long", ONE, 15.0, 16.0)],
    )
    assert figures(late).lateness == {
        "outside faults": Spread(1, 0.25, 0.25, 0.25),
        "inside faults": Spread(2, 0.5, 2.0, 2.0),
        "node killed": Spread(1, 2.0, 2.0, 2.0),
        "node paused for long": Spread(1, 0.5, 0.5, 0.5),
    }


def test_what_is_made_up_for_and_what_waits_for_its_turn_is_not_called_late() -> None:
    told = figures(outage()).lateness
    assert told["made up for"].count == 1
    assert told["made up for"].worst == pytest.approx(36.01)
    assert told["PostgreSQL away"].worst == pytest.approx(17.51)
    waiting = history(
        [job("ticks", every_s=10.0, overlap="queue")],
        [run(1, "ticks", 0.0, finished_at=AT + 13.0), run(2, "ticks", 10.0)],
        executions=[execution(1, "ticks", 0.5), execution(2, "ticks", 13.1)],
    )
    assert figures(waiting).lateness == {"outside faults": Spread(1, 0.5, 0.5, 0.5)}


def test_percentiles_are_samples() -> None:
    assert spread([float(number) for number in range(1, 201)]) == Spread(200, 100.0, 198.0, 200.0)
    with pytest.raises(ValueError, match="no samples"):
        spread([])


def test_a_takeover_lasts_from_the_death_to_the_next_beginning() -> None:
    assert figures(good()).takeovers == Takeovers(1, 1, 0, 4.5, 4.5)
    # one that nobody began again; one that was claimed only after the death, by the node's next life
    more = {
        **good().attempts,
        30: [attempt(30, 20.5, status="LOST", finished_at=AT + 26.0)],
        20: [attempt(20, 24.0, status="LOST", finished_at=AT + 26.0)],
    }
    assert figures(replace(good(), attempts=more)).takeovers == Takeovers(1, 2, 1, 4.5, 4.5)
    assert figures(outage()).takeovers == Takeovers(0, 0, 0, None, None)


def test_overlaps_are_told_by_their_excuse() -> None:
    beside = [
        *good().executions,
        execution(10, "ticks-too", 0.010, count=2, node=TWO, last=AT + 3.0),
        execution(31, "stepping", 21.0, count=3, node=TWO, last=AT + 21.5),
    ]
    given = replace(
        good(),
        executions=beside,
        bands=[band("node paused for long", ONE, 0.0, 1.0), band("link to PostgreSQL cut", ONE, 15.0, 23.0)],
    )
    told = figures(given).overlapping
    assert (told["paused"].count, told["cut off"].count) == (1, 1)
    assert told["paused"].longest_s == pytest.approx(0.005, abs=1e-6)
    assert told["cut off"].longest_s == pytest.approx(0.5, abs=1e-6)
    assert told["neither"] == Overlapping(0, 0.0)


def test_recovery_counts_from_the_return_of_postgresql() -> None:
    (told,) = figures(outage()).recoveries
    # due at 15, 30, 45 and 60; the first two were accounted for at 66
    assert told == Recovery(60.0, 4, told.first_begin_s, told.accounted_s)
    assert told.first_begin_s == pytest.approx(0.4, abs=1e-6)
    assert told.accounted_s == pytest.approx(4.0, abs=1e-6)
    assert figures(good()).recoveries == []


def test_alerts_submissions_attempts_and_duplicates_are_counted() -> None:
    told = figures(good())
    assert told.delivery == Delivery(2, 2, 2, 2.0)
    assert (told.promised, told.kept) == (1, 1)
    assert told.attempts == {"COMPLETED": 15, "FAILED": 2, "LOST": 1}
    assert told.duplicates == 0
    twice = {**good().attempts, 12: [attempt(12, 20.0), attempt(12, 21.0, count=2)]}
    assert figures(replace(good(), attempts=twice)).duplicates == 1


def test_times_have_units() -> None:
    assert [in_words(seconds) for seconds in (None, 0.0042, 1.25, 61.0)] == ["–", "4 ms", "1.2 s", "61.0 s"]


def test_the_report_ends_with_what_does_not_hold() -> None:
    told = list(lines(figures(good()), []))
    assert told[-1] == "every promise held"
    assert "12 fires due: 11 ran on time" in told[1]
    many = [Violation("fires", f"number {number}") for number in range(60)]
    told = list(lines(figures(good()), [*many, Violation("alerts", "has none", 7)]))
    assert "61 VIOLATIONS: 60 fires, 1 alerts" in told
    assert told[-2:] == ["  fires: number 49", "  and 11 more"]


def test_the_page_has_its_picture_its_figures_and_every_fault(tmp_path: Path) -> None:
    given = outage()
    write_page(given, figures(given), [], {"cores": "2"}, tmp_path)
    text = (tmp_path / "faults.md").read_text()
    assert text == page(given, figures(given), [], {"cores": "2"})
    assert "- cores: 2" in text
    assert "**every promise held**" in text
    assert "| PostgreSQL away | 1 × | all | 60.0 s |" in text
    assert "| made up for | 1 | 36.0 s | 36.0 s | 36.0 s |" in text
    assert (tmp_path / "faults.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads((tmp_path / "faults.json").read_text())
    assert told["figures"]["accounts"]["due"] == 7
    assert told["bands"] == [{"kind": "PostgreSQL away", "target": "", "began": 0.0, "healed": 60.0}]


def test_a_picture_of_nothing_can_be_drawn(tmp_path: Path) -> None:
    draw(history([], []), tmp_path / "empty.svg")
    assert (tmp_path / "empty.svg").read_text().startswith("<?xml")
