"""What people write and order, and their own diary of it: what the checkers go by, not the store's tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from shardkeeper.domain.errors import ShardkeeperError, StoreUnavailable
from shardkeeper.memory.authoring import Author
from shardkeeper.memory.link import Link
from shardkeeper.memory.store import MemoryStore
from shardkeeper.simulation.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Edit:
    """One committed change of a job. ``row``: all its columns from ``at`` on, None where it was deleted."""

    job_name: str
    at: datetime
    row: Mapping[str, Any] | None
    valid: bool


@dataclass(slots=True)
class Hold:
    """One pause."""

    job_name: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Submission:
    """What one call asked for. ``priority`` 0: the job's. ``answer``: its runs, None where the answer was lost.

    Each has parameters with a ``mark`` of its own.
    """

    job_name: str
    at: datetime
    marks: tuple[int, ...]
    keys: tuple[str, ...] | None
    priority: int
    not_before: datetime | None
    answer: tuple[int, ...] | None


@dataclass(slots=True)
class Diary:
    """By the world's clock, in order."""

    edits: list[Edit] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    stopped_runs: set[int] = field(default_factory=set)
    submissions: list[Submission] = field(default_factory=list)


class People:
    """Everything they do arrives: their link with the store is never cut. Who submits may not hear the answer."""

    def __init__(self, world: Surroundings) -> None:
        self._world = world
        self._author = Author(world.database)
        self.store = MemoryStore(world.database)
        self.diary = Diary()
        self._rows: dict[str, dict[str, Any]] = {}
        self._marks = count(1)
        self._answers = Link()
        self._submitter = MemoryStore(world.database, self._answers)

    @property
    def jobs(self) -> list[str]:
        """Names of the jobs that exist."""
        return list(self._rows)

    def row(self, name: str) -> Mapping[str, Any]:
        """The job's columns as they are now."""
        return self._rows[name]

    def put_impl(self, name: str = "impl", **columns: Any) -> None:
        """Insert or update an ImplSpec."""
        self._say(f"impl {name} {columns}")
        self._author.put_impl(name, **{"entrypoint": "tasks:Task", **columns})

    def put_pool(self, name: str, size: int) -> None:
        """Insert or update a pool."""
        self._say(f"pool {name} of {size}")
        self._author.put_pool(name, size)

    def is_followed(self, name: str) -> bool:
        """Whether another job follows it, so that it cannot be deleted."""
        return any(name in row.get("follows", {}).get("jobs", ()) for row in self._rows.values())

    def put_job(self, name: str, *, valid: bool = True, **columns: Any) -> None:
        """Insert or update a job. ``valid``: whether a node is to find it valid."""
        self._put(self._author, name, columns)
        self._note(name, valid)

    def delete_job(self, name: str) -> None:
        """Delete a job; its history is kept."""
        self._say(f"delete {name}")
        self._author.delete_job(name)
        self._rows.pop(name, None)
        self._note(name, valid=True)

    @contextmanager
    def transaction(self, name: str, **columns: Any) -> Iterator[None]:
        """An edit that is made at the beginning of this block and committed at its end."""
        author = Author(self._world.database)
        with author.transaction():
            self._put(author, name, columns)
            yield
        self._note(name, valid=True)

    def pause(self, name: str, until: datetime | None = None) -> None:
        """Hold the job's scheduled fires."""
        self._say(f"pause {name} until {until}")
        self.store.pause(name, "by people", until, "people")
        self._end_holds(name)
        self.diary.holds.append(Hold(name, self._world.clock.now(), until))

    def resume(self, name: str) -> None:
        """End the job's pause."""
        self._say(f"resume {name}")
        self.store.resume(name, "people")
        self._end_holds(name)

    def order(self, what: str, order: Callable[[MemoryStore], object]) -> object:
        """An order that may be refused; the answer, None where it was."""
        try:
            answer = order(self.store)
        except ShardkeeperError as refusal:
            self._say(f"{what}: refused, {refusal}")
            return None
        self._say(f"{what}: {answer}")
        return answer

    def stop_run(self, run_id: int) -> None:
        """Order a run to stop."""
        self.diary.stopped_runs.add(run_id)
        self.order(f"stop {run_id}", lambda store: store.stop(run_id, "people"))

    def submit(
        self,
        name: str,
        each: Sequence[Mapping[str, Any]],
        keys: Sequence[str] | None = None,
        *,
        priority: int = 0,
        at: datetime | None = None,
        bulk: bool = True,
        unheard: bool = False,
    ) -> tuple[int, ...] | None:
        """Submit these parameters; the runs, None where it was refused or the answer got lost (``unheard``).

        ``bulk``: in one call of ``submit_many``; else ``each`` is one, for ``submit``.
        """
        marks = tuple(next(self._marks) for _ in each)
        given = [{**one, "mark": mark} for one, mark in zip(each, marks, strict=True)]
        self._answers.lose_answers = int(unheard)
        now, answer = self._world.clock.now(), None
        try:
            if bulk:
                answer = tuple(self._submitter.submit_many(name, given, keys, priority, at, "people"))
            else:
                key = keys[0] if keys else None
                answer = (self._submitter.submit(name, given[0], key, priority, at, "people"),)
        except StoreUnavailable:
            self._say(f"submit {given} to {name}: no answer")
        except ShardkeeperError as refusal:
            self._say(f"submit {given} to {name}: refused, {refusal}")
            return None
        else:
            self._say(f"submit {given} to {name} with {keys}: {answer}")
        of_keys = None if keys is None else tuple(keys)
        self.diary.submissions.append(Submission(name, now, marks, of_keys, priority, at, answer))
        return answer

    def _put(self, author: Author, name: str, columns: Mapping[str, Any]) -> None:
        self._say(f"put {name} {columns}")
        row = self._rows.setdefault(name, {"impl_spec": "impl"})
        row.update(columns)
        author.put_job(name, **row)

    def _note(self, name: str, valid: bool) -> None:
        row = self._rows.get(name)
        self.diary.edits.append(
            Edit(name, self._world.clock.now(), None if row is None else dict(row), valid)
        )

    def _end_holds(self, name: str) -> None:
        now = self._world.clock.now()
        for hold in self.diary.holds:
            if hold.job_name == name and (hold.until is None or hold.until > now):
                hold.until = now

    def _say(self, what: str) -> None:
        self._world.trace.add("people", what)
