"""Stories told by hand, each in a simulated cluster."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from shardkeeper.domain.facts import FoundDead, OutcomeSuperseded, TakenOver
from shardkeeper.domain.runs import AttemptStatus, RunStatus, TriggerKind
from shardkeeper.memory.history import What
from shardkeeper.memory.rows import Attempt, Run
from shardkeeper.simulation.checker.calm import Calm, check, check_owners
from shardkeeper.simulation.checker.judge import judge
from shardkeeper.simulation.machine_plan import MachinePlan
from shardkeeper.simulation.seeded import come_to_rest, live_through
from shardkeeper.simulation.world import World

SECOND = timedelta(seconds=1)


@pytest.fixture
def world() -> Iterator[World]:
    """Three nodes; when the story has been told, the world comes to rest and every promise is judged."""
    world = cluster("a", "b", "c")
    yield world
    world.heal()
    come_to_rest(world)
    assert [str(broken) for broken in judge(world)] == []


def cluster(*names: str) -> World:
    world = calm_world(*names)
    world.start_all()
    world.run(15.0)
    return world


def calm_world(*names: str) -> World:
    """Tasks do as they are told; no node runs yet."""
    world = World.of(*names)
    world.tasks.weather.fails = world.tasks.weather.dies = world.tasks.weather.hangs = 0.0
    world.tasks.weather.retries_later = world.tasks.weather.cancels = world.tasks.weather.unstorable = 0.0
    world.run(0.337)
    world.people.put_impl()
    return world


def job(world: World, name: str = "job", seconds: float = 0.1, **columns: Any) -> None:
    world.people.put_job(name, parameters={"seconds": seconds}, **columns)


def runs_of(world: World, *statuses: RunStatus, name: str = "job") -> list[Run]:
    own = [run for run in world.database.runs.values() if run.job_name == name]
    return [run for run in own if not statuses or run.status in statuses]


def holder(world: World, name: str = "job") -> str:
    """The machine on which an attempt of the job runs, once one does."""

    def found() -> list[str]:
        return [one.node_id for one in world.witnesses.all if one.job_name == name and one.ended is None]

    assert world.run_until(lambda: bool(found()), 20.0)
    return found()[0]


def facts(world: World, kind: type) -> list[object]:
    return [line.what for line in world.trace.lines if isinstance(line.what, kind)]


def calm_until(world: World, seconds: float) -> Calm:
    since = world.clock.now()
    world.run(seconds)
    return Calm(since, world.clock.now() - SECOND)


def missed_and_run(world: World, since: datetime, until: datetime) -> tuple[int, list[Run]]:
    """Fires recorded as MISSED, and misfire runs, between two instants."""
    own = [run for run in runs_of(world) if since < run.fire_time <= until]
    missed = sum(run.missed_count or 0 for run in own if run.status is RunStatus.MISSED)
    return missed, [run for run in own if run.kind is TriggerKind.MISFIRE and run.attempts]


def test_in_calm_weather_every_fire_is_on_time_and_at_its_owners(world: World) -> None:
    for number in range(8):
        job(world, f"job-{number}", every=2 * SECOND, sharding_total_count=1 + number % 4)
    world.run(5.0)
    calm = calm_until(world, 20.0)
    assert [str(broken) for broken in (*check(world, calm), *check_owners(world, calm))] == []


def test_the_coordinator_is_written_by_nodes_alone_however_many_fires_there_are(world: World) -> None:
    for number in range(30):
        job(world, f"job-{number}", every=SECOND, sharding_total_count=3)
    world.run(3.0)
    before = world.ensemble.writes
    world.run(60.0)
    assert len(world.database.runs) > 1_000
    assert world.ensemble.writes == before


def test_a_killed_node_s_attempt_is_taken_over_as_attempt_2(world: World) -> None:
    job(world, seconds=4.0, every=30 * SECOND)
    name = holder(world)
    world.machines[name].kill()
    lost_at = world.seconds
    assert world.run_until(lambda: bool(world.database.history.of(What.REISSUED)), 10.0)
    assert world.seconds - lost_at <= world.conditions.lease_s + 2 * world.conditions.lease_s / 4 + 0.5
    assert world.run_until(lambda: bool(runs_of(world, RunStatus.COMPLETED)), 10.0)
    rows = runs_of(world, RunStatus.COMPLETED)[0].attempts[0]
    assert [row.status for row in rows] == [AttemptStatus.LOST, AttemptStatus.COMPLETED]
    assert (rows[1].key.attempt, rows[1].takeovers, rows[1].tries) == (2, 1, 0)


def test_a_zombie_s_outcome_is_refused_after_its_takeover(world: World) -> None:
    job(world, seconds=3.0, every=60 * SECOND)
    world.run_until(lambda: bool(world.witnesses.all), 61.0)
    name = holder(world)
    world.machines[name].pause()
    assert world.run_until(lambda: bool(world.database.history.of(What.REISSUED)), 10.0)
    world.machines[name].resume()
    world.run(10.0)
    refused = world.database.history.of(What.SUPERSEDED)
    assert refused or facts(world, OutcomeSuperseded) or facts(world, FoundDead)
    completed = [entry for entry in world.database.history.of(What.ENDED) if entry.note == "COMPLETED"]
    assert [entry.attempt for entry in completed] == [2]


def test_a_drain_in_a_busy_schedule_is_invisible(world: World) -> None:
    for number in range(10):
        job(world, f"job-{number}", every=SECOND, seconds=0.3, sharding_total_count=2)
    world.run(5.0)
    since = world.clock.now()
    world.machines["b"].drain(10.0)
    assert world.run_until(lambda: not world.machines["b"].running, 15.0)
    world.run(5.0)
    calm = Calm(since, world.clock.now() - SECOND, created_within_s=1.0)
    assert [str(broken) for broken in check(world, calm)] == []
    assert not world.database.history.of(What.LOST)
    fires = [run for run in world.database.runs.values() if calm.since < run.fire_time < calm.until]
    late = [
        row.started_at
        for run in fires
        for rows in run.attempts.values()
        for row in rows[:1]
        if row.started_at
    ]
    assert late
    assert all(
        row.tries == 0
        for run in world.database.runs.values()
        for rows in run.attempts.values()
        for row in rows
    )


def test_what_a_leaving_node_must_stop_goes_back_and_uses_up_no_attempt(world: World) -> None:
    job(world, seconds=20.0, every=300 * SECOND)
    world.people.order("trigger", lambda store: store.trigger("job", {}, None, None, "people"))
    name = holder(world)
    world.machines[name].drain(2.0)
    assert world.run_until(lambda: not world.machines[name].running, 20.0)
    assert world.run_until(lambda: bool(runs_of(world, RunStatus.COMPLETED)), 40.0)
    (row,) = runs_of(world, RunStatus.COMPLETED)[0].attempts[0]
    assert (row.key.attempt, row.tries, row.takeovers) == (1, 0, 0)
    assert row.claim_no == 2
    assert not world.database.history.of(What.LOST)


@pytest.mark.parametrize(("policy", "missed", "ran"), [("skip", 60, 0), ("once", 59, 1), ("all", 0, 60)])
def test_an_hour_without_any_node_is_accounted_for_by_policy(
    world: World, policy: str, missed: int, ran: int
) -> None:
    job(world, every=60 * SECOND, misfire=policy, overlap="allow")
    world.run(61.0)
    since = world.clock.now()
    for machine in world.machines.values():
        machine.kill()
    world.run(3_600.0)
    until = world.clock.now() - timedelta(seconds=world.conditions.on_time_window_s)
    world.start_all()
    world.run(40.0)
    count, made = missed_and_run(world, since, until)
    assert (count, len(made)) == (missed, ran)
    if policy == "once":
        assert made[0].fire_time == max(run.fire_time for run in runs_of(world) if run.fire_time <= until)


def test_a_job_inserted_while_every_node_was_down_runs_nothing_from_before(world: World) -> None:
    for machine in world.machines.values():
        machine.kill()
    world.run(300.0)
    job(world, every=10 * SECOND, misfire="all")
    inserted = world.clock.now()
    world.run(100.0)
    world.start_all()
    world.run(60.0)
    fires = [run.fire_time for run in runs_of(world)]
    assert min(fires) >= inserted
    assert len(fires) >= 15


def test_without_the_coordinator_fires_go_on_though_a_node_dies_and_another_restarts(world: World) -> None:
    for number in range(6):
        job(world, f"job-{number}", every=SECOND, sharding_total_count=2)
    world.run(5.0)
    world.ensemble.outage()
    world.run(10.0)
    world.machines["a"].kill()
    world.machines["b"].kill()
    world.run(2.0)
    world.machines["b"].start()
    world.run(20.0)
    since = world.clock.now()
    world.run(30.0)
    calm = Calm(since, world.clock.now() - SECOND)
    assert [str(broken) for broken in check(world, calm)] == []
    seen = {one.node_id for one in world.witnesses.all if one.began > since}
    assert seen == {"b", "c"}
    late = [
        run
        for run in world.database.runs.values()
        if run.created_at - run.fire_time > SECOND and run.attempts
    ]
    taken = world.conditions.lease_s + 3
    assert all(run.created_at - run.fire_time < taken * SECOND for run in late)


def test_without_the_coordinator_for_a_minute_no_fire_is_late(world: World) -> None:
    for number in range(6):
        job(world, f"job-{number}", every=SECOND, sharding_total_count=3)
    world.run(5.0)
    since = world.clock.now()
    world.ensemble.outage()
    world.run(60.0)
    world.ensemble.restore()
    world.run(20.0)
    assert [str(broken) for broken in check(world, Calm(since, world.clock.now() - SECOND, 1.0))] == []


def test_without_the_store_for_a_minute_nothing_is_lost_and_outcomes_are_kept(world: World) -> None:
    job(world, every=3 * SECOND, misfire="all", overlap="allow")
    job(world, "long", every=1_000 * SECOND, seconds=10.0)
    world.people.order("trigger", lambda store: store.trigger("long", {}, None, None, "people"))
    holder(world, "long")
    since = world.clock.now()
    world.cut_store()
    world.run(60.0)
    world.heal_store()
    back = world.clock.now()
    world.run(25.0)
    own = [run.fire_time for run in runs_of(world) if since < run.fire_time < back]
    assert len(set(own)) == len(own) == 20
    assert [run.status for run in runs_of(world, name="long")] == [RunStatus.COMPLETED]
    assert len([one for one in world.witnesses.all if one.job_name == "long"]) == 1


@pytest.mark.parametrize("call", ["create", "claim", "record", "beat", "take_over", "pending", "join"])
def test_a_commit_that_nobody_heard_of_is_found_out(world: World, call: str) -> None:
    job(world, every=2 * SECOND, sharding_total_count=3, seconds=0.5)
    world.run(4.0)
    for machine in world.machines.values():
        machine.host.wire.lose[call] = 2
    if call in ("take_over", "join"):
        world.machines["a"].kill()
        world.run(2.0)
        world.machines["a"].start()
    for _ in range(3):
        world.people.order("trigger", lambda store: store.trigger("job", {}, None, None, "people"))
    world.run(30.0)
    assert any(machine.host.wire.lose[call] < 2 for machine in world.machines.values())
    assert len(runs_of(world, RunStatus.COMPLETED)) > 5


def test_of_two_nodes_with_one_name_one_is_kept_out() -> None:
    plans = [MachinePlan("a", "a"), MachinePlan("b", "b"), MachinePlan("copy", "a")]
    world = World(1, plans)
    world.tasks.weather.hangs = 0.0
    world.run(0.337)
    world.people.put_impl()
    world.start_all()
    job(world, every=SECOND, sharding_total_count=4)
    world.run(60.0)
    living = [one for one in world.database.leases.values() if one.state == "active"]
    assert sorted(one.who.node_id for one in living) == ["a", "b"]
    assert not facts(world, TakenOver)
    world.machines["a"].kill()
    world.machines["copy"].kill()
    world.machines["copy"].start()
    world.run(30.0)
    assert facts(world, TakenOver)
    come_to_rest(world)
    assert [str(broken) for broken in judge(world)] == []


def test_a_bad_version_runs_nothing_and_the_last_good_one_stays_also_after_a_restart(world: World) -> None:
    job(world, every=2 * SECOND)
    world.run(5.0)
    world.people.put_job("job", valid=False, every=None, cron="61 * * * * *")
    world.run(5.0)
    for machine in world.machines.values():
        machine.kill()
        machine.start()
    world.run(30.0)
    good = min(version.version for version in world.database.job_versions["job"])
    assert {run.version.version for run in runs_of(world)} == {good}
    assert sum(alert.kind == "invalid" for alert in world.database.alerts.values()) == 1
    recent = [run for run in runs_of(world) if run.fire_time > world.clock.now() - 10 * SECOND]
    assert len(recent) >= 4
    world.people.put_job("job", every=2 * SECOND, cron=None)


def test_a_spec_change_is_in_force_on_every_node_within_a_tenth_of_a_second(world: World) -> None:
    world.people.put_job("job", run_at=world.clock.now() + timedelta(milliseconds=100))
    world.run(0.5)
    (run,) = runs_of(world)
    assert run.created_at - run.fire_time < timedelta(milliseconds=100)


def test_a_wall_clock_that_is_wrong_makes_no_task_begin_early(world: World) -> None:
    job(world, every=SECOND, sharding_total_count=3)
    for seconds in (1.5, -1.5, 40.0, -40.0):
        world.machines["b"].step_clock(seconds)
        world.run(15.0)
    assert all(one.began >= one.key.fire_time for one in world.witnesses.all)


@pytest.mark.parametrize("hours", [1, -1])
def test_a_wall_clock_stepped_an_hour_takes_one_node_out_and_no_job_is_silent_then_or_afterwards(
    world: World, hours: int
) -> None:
    for number in range(6):
        job(world, f"job-{number}", every=SECOND, overlap="allow")
    world.run(5.0)
    since = world.clock.now()
    world.machines["b"].step_clock(hours * 3600.0)
    world.run(20.0)
    assert "b" not in {one.node_id for one in world.witnesses.all if one.began > since + 5 * SECOND}
    world.machines["b"].step_clock(-hours * 3600.0)
    world.run(5.0)
    back = world.clock.now()
    world.run(10.0)
    # its own timers are right again: it makes the runs of what it owns, and nobody has to make them for it
    made = [row for row in every_row(world) if row.claimed_at == row.run.created_at]
    assert "b" in {row.node_id for row in made if row.run.fire_time > back}
    for number in range(6):
        fires = sorted(run.fire_time for run in runs_of(world, name=f"job-{number}") if run.fire_time > since)
        assert len(fires) >= 34
        assert {later - earlier for earlier, later in pairwise(fires)} == {SECOND}
    # whoever owned the lowest item, another makes the run a moment later
    assert [str(broken) for broken in check(world, Calm(since, world.clock.now() - SECOND))] == []
    assert all(one.began >= one.key.fire_time for one in world.witnesses.all)
    assert [alert.kind for alert in world.database.alerts.values()] == ["clock_skew"]


def test_a_rolling_restart_of_all_nodes_is_invisible(world: World) -> None:
    for number in range(6):
        job(world, f"job-{number}", every=SECOND, seconds=0.3, sharding_total_count=3)
    world.run(5.0)
    since = world.clock.now()
    lives = {lease.who.incarnation for lease in world.database.leases.values()}
    for machine in world.machines.values():
        machine.drain(10.0)
        machine.start()
        assert world.run_until(lambda machine=machine: came_back(world, machine.name, lives), 30.0)  # type: ignore[misc]
    world.run(5.0)
    assert [str(broken) for broken in check(world, Calm(since, world.clock.now() - SECOND))] == []
    assert not world.database.history.of(What.LOST)
    assert {(row.key.attempt, row.tries) for row in every_row(world)} == {(1, 0)}


def came_back(world: World, name: str, lives: set[str]) -> bool:
    """Whether a life of this node that is not among these takes part."""
    view = world.ensemble.view.view if world.ensemble.view else None
    members = view.members if view else ()
    return any(member.node_id == name and member.incarnation not in lives for member in members)


def every_row(world: World) -> list[Attempt]:
    return [row for run in world.database.runs.values() for rows in run.attempts.values() for row in rows]


def test_from_1_to_3_to_5_to_1_nodes_what_runs_goes_on_and_every_fire_is_in_time() -> None:
    world = calm_world("a", "b", "c", "d", "e")
    world.machines["a"].start()
    job(world, "short", every=SECOND, sharding_total_count=5, overlap="allow")
    job(world, "long", seconds=6.0, every=2 * SECOND, sharding_total_count=2, overlap="allow")
    world.run(15.0)
    since = world.clock.now()
    for names in ("bc", "de"):
        for name in names:
            world.machines[name].start()
        world.run(12.0)
    assert {one.node_id for one in world.witnesses.all} == set("abcde")
    for name in "bcde":
        world.machines[name].drain(10.0)
    assert world.run_until(lambda: not any(world.machines[name].running for name in "bcde"), 15.0)
    world.run(8.0)
    assert [str(broken) for broken in check(world, Calm(since, world.clock.now() - SECOND, 1.0))] == []
    ended = [row for row in every_row(world) if row.finished_at is not None]
    # each ran once, where it had begun
    assert {(row.status, row.key.attempt, row.claim_no) for row in ended} == {(AttemptStatus.COMPLETED, 1, 1)}
    come_to_rest(world)
    assert [str(broken) for broken in judge(world)] == []


def test_the_same_seed_tells_the_same_story_to_the_last_line() -> None:
    first, second = live_through(11, events=800), live_through(11, events=800)
    assert first.events == second.events
    assert first.world.trace.digest() == second.world.trace.digest()
    assert first.world.trace.digest() != live_through(12, events=800).world.trace.digest()
