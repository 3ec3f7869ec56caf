"""The jobs and submissions of a run of faults, when they are due, and what their tasks tell."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import bench.faults.stream
from bench.faults.due import due_fires
from bench.faults.history import Job, Version
from bench.faults.jobs import scheduled
from bench.faults.kinds import BY_NAME, KINDS
from bench.faults.stream import Stream
from bench.faults.witness import read_witness
from bench.tasks.faults_tasks import FailsFirst, Steps, Undone, Values, Witness
from shardkeeper.domain.schedule import fires_of
from shardkeeper.domain.specs import JobSpec
from shardkeeper.testing import run_task
from tests.bench.faults_histories import AT


def test_three_hundred_jobs_are_of_all_kinds_and_policies_and_fire_about_sixty_times_a_second() -> None:
    jobs = list(scheduled(random.Random(1), 300))
    assert len({job["name"] for job in jobs}) == 300
    assert {job["impl_spec"] for job in jobs} == {kind.name for kind in KINDS if kind.jobs}
    for column, values in {
        "overlap": {"allow", "skip", "queue"},
        "misfire": {"skip", "once", "all"},
        "on_lease_loss": {"stop", "continue"},
        "items": set(range(1, 8)),
        "catch_up_limit": {5, 100},
    }.items():
        assert {job[column] for job in jobs} == values
    assert all(job["items"] <= BY_NAME[job["impl_spec"]].most_items for job in jobs)
    assert 45 <= sum(1 / period_s(job) for job in jobs) <= 75


def test_a_few_jobs_are_as_many_as_were_asked_for_and_the_same_seed_draws_the_same() -> None:
    assert len(list(scheduled(random.Random(1), 10))) == 10
    first, again, other = (str(list(scheduled(random.Random(seed), 40))) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_what_is_due_is_what_the_schedule_says_though_it_is_worked_out_otherwise() -> None:
    since, until = AT + 0.25, AT + 59.95
    for drawn in scheduled(random.Random(2), 200):
        cron, every = drawn["cron"], drawn["every"]
        period_us = round(period_s(drawn) * 1_000_000)
        job = Job("a", "noop", (Version(since, cron, None if cron else period_us, until),))
        schedule = fires_of(
            JobSpec("a", "noop", cron=cron, every=timedelta(microseconds=period_us) if every else None)
        )
        assert schedule is not None
        wanted = schedule.between(instant(since), instant(until), 1000)
        assert due_fires(job, AT + 1000.0) == [fire.timestamp() for fire in wanted]


def test_each_version_is_due_in_its_time() -> None:
    versions = (Version(AT, None, 10_000_000), Version(AT + 10.0, None, 9_000_000, AT + 30.0))
    job = Job("a", "noop", versions)
    # the epoch is where both are anchored, and AT a multiple of either
    assert due_fires(job, AT + 100.0) == [AT, AT + 18.0, AT + 27.0]
    assert due_fires(job, AT + 20.0) == [AT, AT + 18.0]
    assert due_fires(replace(job, versions=(Version(AT),)), AT + 20.0) == []


@pytest.mark.parametrize("cron", ["0 3 * * *", "*/5 * * * * mon", "1-5 * * * * *", "H * * * * *"])
def test_a_cron_expression_that_the_judge_does_not_read_is_refused(cron: str) -> None:
    with pytest.raises(ValueError, match=r"\*"):
        due_fires(Job("a", "noop", (Version(AT, cron),)), AT + 1.0)


def test_each_execution_tells_its_beginning_its_end_and_its_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "witness"
    monkeypatch.setenv("FAULTS_WITNESS", str(file))
    assert read_witness(file, 0.0) == []
    tokens = [
        run_task(Witness, parameters={"ms": 1}).result["token"],
        run_task(Values, parameters={"values": 2}).by_key()["value-1"],
        run_task(Steps, parameters={"steps": 3, "ms": 1}, checkpoint={"done": 2}).result["token"],
        run_task(FailsFirst, attempt=2, item=4).result["token"],
    ]
    told = read_witness(file, 1000.0)
    assert [one.token for one in told] == tokens
    assert [one.ending for one in told] == ["ended"] * 4
    assert [one.found for one in told] == [0, 0, 2, 0]
    assert (told[3].item, told[3].attempt, told[3].node) == (4, 2, "test")
    assert all(one.last >= one.began > 1000.0 for one in told)


def test_what_fails_or_is_rolled_back_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "witness"
    monkeypatch.setenv("FAULTS_WITNESS", str(file))
    for task in (FailsFirst, Undone):
        with pytest.raises(RuntimeError, match="always fails"):
            run_task(task)
    run_task(Undone, attempt=2, compensates=True)
    assert [one.ending for one in read_witness(file, 0.0)] == ["failed", "failed", "compensated"]


@dataclass
class Lossy:
    """A PostgreSQL that loses every other answer, but not what was asked for."""

    runs: dict[tuple[str, str], int] = field(default_factory=dict)
    asked: int = 0
    connected: int = 0

    def connect(self, *_: object, **__: object) -> Lossy:
        self.connected += 1
        return self

    def execute(self, query: str, values: tuple[str, Any, str]) -> Lossy:
        job, _, key = values
        self.answer = self.runs.setdefault((job, key), 100 + len(self.runs))
        self.asked += 1
        if self.asked % 2:
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return self

    def fetchone(self) -> tuple[int]:
        return (self.answer,)

    def close(self) -> None:
        return


def test_what_was_not_answered_is_given_again_with_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Lossy()
    monkeypatch.setattr(psycopg, "connect", server.connect)
    monkeypatch.setattr(bench.faults.stream, "_PAUSE_S", 0.0)
    stream = Stream("a url", per_s=0.001, seed=1)
    stream.add("poison", 3)
    stream.add("noop", 40)
    with stream:
        stream.end()
    promised = stream.promised.values()
    assert Counter(promise.job for promise in promised) == {"demand-poison": 3, "demand-noop": 40}
    assert {(promise.job, promise.key): set(promise.answers) for promise in promised} == {
        key: {run} for key, run in server.runs.items()
    }
    assert all(promise.asked == 2 * len(promise.answers) for promise in promised)
    assert server.connected > 40


def test_what_postgresql_refuses_ends_the_stream_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise psycopg.errors.UndefinedFunction("there is no such function")

    monkeypatch.setattr(psycopg, "connect", refuses)
    stream = Stream("a url", per_s=0.001, seed=1)
    stream.add("noop", 1)
    stream.start()
    with pytest.raises(psycopg.errors.UndefinedFunction):
        stream.end()


def test_there_is_no_other_kind_to_be_submitted() -> None:
    with pytest.raises(KeyError):
        Stream("a url", per_s=1.0, seed=1).add("nothing", 1)


def period_s(job: Any) -> float:
    """Of a drawn one."""
    return (
        float(job["every"].split()[0]) if job["every"] else float(job["cron"].split()[0].removeprefix("*/"))
    )


def instant(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
