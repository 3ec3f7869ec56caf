"""The benchmark of schedules: what is made of what the tasks told, the climb, the rows and the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.beginnings import FOLDER, Beginning, read, tell
from bench.on_demand.contenders import Unavailable
from bench.peers.schedules.driver import Wanted
from bench.schedules import burst, step
from bench.schedules.answer import HEAD, STEPS_HEAD, notes, steps, summary
from bench.schedules.burst import Burst
from bench.schedules.options import Options
from bench.schedules.page import document, page
from bench.schedules.peer import PEERS
from bench.schedules.rounds import measure
from bench.schedules.row import Round, Row
from bench.schedules.step import Step, Window


def kept(schedules: int, p99_ms: float = 20.0) -> Step:
    return Step(schedules, schedules * 8, schedules * 8, 0, 0, 10.0, p99_ms, 0.5)


def losing(schedules: int) -> Step:
    return Step(schedules, schedules * 8, schedules * 7, 3, schedules, 10.0, 20.0, 1.5)


@dataclass
class Scripted:
    """A contender that keeps so many schedules; None: it cannot be had."""

    name: str
    keeps: int | None
    diary: list[str] = field(default_factory=list)
    isolation: str = "process"
    every_s: int = 1
    limit_s: float = 1.0
    notes: tuple[str, ...] = ("like for like",)

    @contextmanager
    def open(self) -> Iterator[Scripted]:
        self.diary.append(self.name)
        if self.keeps is None:
            raise Unavailable("no Redis here")
        yield self

    def step(self, schedules: int) -> Step:
        return kept(schedules) if schedules <= (self.keeps or 0) else losing(schedules)

    def burst(self, schedules: int) -> Burst:
        if schedules > 5000:
            raise Unavailable("too many at once")
        return Burst(schedules, schedules, 2.0)


def test_what_tasks_tell_is_read_as_it_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr("bench.beginnings._tellers", {})
    tell(7, 1000.0, 1000.25)
    tell(8, 1001.9)
    told = sorted(read(tmp_path))
    assert told[0] == Beginning(7, 1000, 1000.25)
    assert (told[1].schedule, told[1].due_s) == (8, 1001)


def test_a_fire_is_late_lost_or_on_time_and_only_the_windows_fires_count() -> None:
    told = [
        Beginning(0, 99, 99.5),
        Beginning(0, 100, 100.1),
        Beginning(0, 101, 102.5),
        Beginning(1, 100, 100.3),
        Beginning(1, 102, 102.1),
    ]
    found = step.judge(told, 2, Window(100, 2))
    assert (found.due, found.ran, found.late, found.lost) == (4, 3, 1, 1)
    assert found.p50_ms == pytest.approx(300)
    assert found.p99_ms == pytest.approx(1500)


def test_of_a_fire_that_began_twice_the_first_counts() -> None:
    found = step.judge([Beginning(0, 100, 103.0), Beginning(0, 100, 100.1)], 1, Window(100, 1))
    assert (found.ran, found.late, found.lost) == (1, 0, 0)


def test_schedules_that_fire_every_two_seconds_have_half_as_many_fires() -> None:
    assert list(Window(100, 8, 2).dues()) == [100, 102, 104, 106]
    assert step.judge([], 10, Window(100, 8, 2)).due == 40


def test_a_step_is_kept_when_nothing_is_lost_and_99_of_100_are_in_time() -> None:
    assert kept(30, 1000.0).is_kept(1.0)
    assert not kept(30, 1000.1).is_kept(1.0)
    assert kept(30, 1000.1).is_kept(2.0)
    assert not losing(30).is_kept(2.0)
    assert not step.judge([], 1, Window(100, 1)).is_kept(2.0)


def test_a_burst_ends_with_the_last_schedules_first_beginning() -> None:
    told = [
        Beginning(0, 99, 99.0),
        Beginning(0, 100, 100.5),
        Beginning(0, 100, 109.0),
        Beginning(1, 100, 102.0),
    ]
    assert burst.judge(told, 2, 100) == Burst(2, 2, 2.0)
    assert not burst.judge(told, 3, 100).is_whole
    assert burst.judge([], 3, 100) == Burst(3, 0, 0.0)


def test_in_each_round_all_take_their_turn_and_climb_until_they_lose() -> None:
    diary: list[str] = []
    contenders = [Scripted("a", 100, diary), Scripted("b", 5000, diary)]
    rows = measure(contenders, Options(ladder=(30, 100, 300, 1000), burst=10, rounds=2), lambda _: None)
    assert diary == ["a", "b"] * 2
    assert [[one.schedules for one in row.steps] for row in rows] == [[30, 100, 300], [30, 100, 300, 1000]]
    assert [row.kept for row in rows] == [100, 1000]
    assert rows[0].burst == Burst(10, 10, 2.0)


def test_what_cannot_be_had_or_measured_is_said_and_stops_nobody() -> None:
    contenders = [Scripted("a", None), Scripted("b", 30)]
    rows = measure(contenders, Options(ladder=(30,), burst=9000, rounds=1), lambda _: None)
    assert [row.problems for row in rows] == [["no Redis here"], ["too many at once"]]
    assert [row.kept for row in rows] == [0, 30]
    assert notes(rows)[0] == "a: like for like; no Redis here."


def test_a_row_is_of_medians() -> None:
    rounds = (
        Round((kept(30, 5.0), kept(100, 90.0)), Burst(10, 10, 1.0)),
        Round((kept(30, 1.0), losing(100)), Burst(10, 10, 3.0)),
        Round((kept(30, 3.0), kept(100, 70.0)), Burst(10, 8, 2.0)),
    )
    row = Row("a", "thread", 2, 2.0, (), rounds)
    assert [one.p99_ms for one in row.steps] == [3.0, 70.0]
    assert (row.kept, row.kept_per_s) == (100, 50.0)
    assert row.burst == Burst(10, 10, 2.0)


def rows_of_two() -> list[Row]:
    ours = Row(
        "Shardkeeper", "process", 1, 1.0, ("recorded",), (Round((kept(30), kept(100)), Burst(10, 10, 2.0)),)
    )
    other = Row("other", "thread", 1, 1.0, ("nothing",), (Round((kept(30), losing(100)), Burst(10, 7, 4.0)),))
    return [ours, other]


def test_the_answer_compares_each_with_ours() -> None:
    lines = summary(rows_of_two(), 100)
    assert all(len(line) == len(HEAD) for line in lines)
    assert lines[0][2:5] == ["≥ 100", "≥ 100", "1.00"]
    assert lines[1][2:5] == ["30", "30", "0.30"]
    assert lines[1][-2:] == ["7 of 10 in 4.00 s", "–"]
    assert lines[0][-2:] == ["10 in 2.00 s", "1.00"]
    assert all(len(line) == len(STEPS_HEAD) for line in steps(rows_of_two()))


def test_the_page_and_the_document_hold_every_system() -> None:
    options = Options(ladder=(30, 100), rounds=1)
    text = page(rows_of_two(), options, {"cores": "2"})
    assert "| other | 100 | 800 | 700 | 3 | 100 | 10.0 ms | 20.0 ms | 1.50 |" in text
    assert "- other: nothing." in text
    kept_by = {row["system"]: row["kept"] for row in document(rows_of_two(), options, {})["rows"]}
    assert kept_by == {"Shardkeeper": 100, "other": 30}


def test_a_peers_cron_has_seconds() -> None:
    instant = int(datetime(2026, 11, 26, 21, 5, 7, tzinfo=UTC).timestamp())
    assert Wanted("", 1, 1, None, ()).cron == "* * * * * *"
    assert Wanted("", 1, 2, None, ()).cron == "* * * * * */2"
    assert Wanted("", 1, 1, instant, ()).cron == "5 21 26 11 * 7"


def test_windows_are_a_whole_number_of_every_peers_intervals() -> None:
    assert all(Options().seconds % peer.every_s == 0 for peer in PEERS)


def test_bursts_of_another_size_are_not_compared() -> None:
    ours, other = rows_of_two()
    fewer = replace(other, rounds=(Round((kept(30),), Burst(5, 5, 1.0)),))
    same = replace(other, rounds=(Round((kept(30),), Burst(10, 10, 1.0)),))
    assert [line[-1] for line in summary([ours, fewer, same], 100)] == ["1.00", "–", "0.50"]
