"""People at work: edits and orders, drawn one at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from shardkeeper.simulation.job_drawing import (
    OTHER_TASK,
    POOL,
    POOL_SIZE,
    TASK,
    draw_bad_change,
    draw_change,
    draw_job,
    draw_work_change,
)
from shardkeeper.simulation.submitters import FOLLOWER, PREFIX
from shardkeeper.simulation.world import World


class Crowd:
    """``mean_pause_s``: between two deeds."""

    def __init__(self, world: World, mean_pause_s: float) -> None:
        self._world = world
        self._mean_pause_s = mean_pause_s
        self._number = 0
        self._locked: set[str] = set()
        self._deeds: tuple[tuple[int, Callable[[], None]], ...] = (
            (3, self._insert),
            (6, self._change),
            (2, self._spoil),
            (2, self._mend),
            (1, self._delete),
            (2, self._pause),
            (2, self._resume),
            (4, self._trigger),
            (3, self._stop),
            (2, self._rerun),
            (2, self._slow_transaction),
            (1, self._new_impl),
        )
        self.at_work = True
        self._spoilt: dict[str, dict[str, Any]] = {}

    def begin(self, jobs: int) -> None:
        """The first jobs; then one deed after the other."""
        self._world.people.put_impl(TASK)
        self._world.people.put_impl(OTHER_TASK, entrypoint="tasks:Other")
        self._world.people.put_pool(POOL, POOL_SIZE)
        for _ in range(jobs):
            self._insert()
        self._next()

    @property
    def idle(self) -> bool:
        """Whether no transaction is open."""
        return not self._locked

    def finish(self) -> None:
        """Do nothing more, and leave nothing spoilt behind."""
        self.at_work = False
        while self._spoilt:
            self._mend()

    def _next(self) -> None:
        rng = self._world.rng
        self._world.clock.call_later(rng.expovariate(1 / self._mean_pause_s), self._act)

    def _act(self) -> None:
        if not self.at_work:
            return
        weights = [weight for weight, _ in self._deeds]
        deed = self._world.rng.choices([deed for _, deed in self._deeds], weights)[0]
        deed()
        self._next()

    # ---- specs

    def _insert(self) -> None:
        world = self._world
        self._number += 1
        again = [name for name in (f"job-{n}" for n in range(self._number)) if name not in world.people.jobs]
        name = world.rng.choice(again) if again and world.rng.random() < 0.3 else f"job-{self._number}"
        if len(world.people.jobs) < 12:
            world.people.put_job(name, **draw_job(world.rng, world.clock.now()))

    def _change(self) -> None:
        name = self._some_job()
        if name is not None and name not in self._spoilt:
            self._world.people.put_job(name, **self._drawn_change(name))

    def _spoil(self) -> None:
        name = self._some_job()
        if name is not None and name not in self._spoilt:
            row = self._world.people.row(name)
            self._spoilt[name] = {column: row.get(column) for column in ("cron", "every", "run_at")}
            self._world.people.put_job(name, valid=False, **draw_bad_change(self._world.rng))

    def _mend(self) -> None:
        if self._spoilt:
            name = self._world.rng.choice(sorted(self._spoilt))  # never one that is locked
            self._world.people.put_job(name, **self._spoilt.pop(name))

    def _delete(self) -> None:
        name = self._some_job()
        people = self._world.people
        if name is not None and len(people.jobs) > 2 and not people.is_followed(name):
            self._spoilt.pop(name, None)
            self._world.people.delete_job(name)

    def _slow_transaction(self) -> None:
        """An edit that is committed some seconds after it was made."""
        name, world = self._some_job(), self._world
        if name is None or name in self._spoilt:
            return
        edit = world.people.transaction(name, **self._drawn_change(name))
        edit.__enter__()
        self._locked.add(name)

        def commit() -> None:
            self._locked.discard(name)
            edit.__exit__(None, None, None)

        world.clock.call_later(world.rng.uniform(0.1, 4.0), commit)

    def _drawn_change(self, name: str) -> dict[str, Any]:
        draw = draw_work_change if name.startswith((PREFIX, FOLLOWER)) else draw_change
        return draw(self._world.rng, self._world.people.row(name), self._world.clock.now())

    def _new_impl(self) -> None:
        self._world.people.put_impl(OTHER_TASK, parameters={"revision": self._world.rng.randint(1, 9)})

    # ---- orders

    def _pause(self) -> None:
        name, world = self._some_job(), self._world
        if name is not None:
            until = world.clock.now() + timedelta(seconds=world.rng.randint(1, 9))
            world.people.pause(name, until if world.rng.random() < 0.5 else None)

    def _resume(self) -> None:
        name = self._some_job()
        if name is not None:
            self._world.people.resume(name)

    def _trigger(self) -> None:
        name = self._some_job()
        if name is not None:
            self._world.people.order(
                f"trigger {name}", lambda store: store.trigger(name, {}, None, None, "people")
            )

    def _stop(self) -> None:
        runs = list(self._world.database.open_runs)
        if runs:
            self._world.people.stop_run(self._world.rng.choice(runs))

    def _rerun(self) -> None:
        runs = list(self._world.database.runs)
        if runs:
            run_id, same = self._world.rng.choice(runs), self._world.rng.random() < 0.5
            self._world.people.order(f"rerun {run_id}", lambda store: store.rerun(run_id, {}, same, "people"))

    def _some_job(self) -> str | None:
        jobs = [name for name in self._world.people.jobs if name not in self._locked]
        return self._world.rng.choice(jobs) if jobs else None
