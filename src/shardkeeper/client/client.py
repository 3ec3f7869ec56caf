"""The client: submit work from any Python program, and wait for it.

What is submitted one by one has a key, one of the client's own making where the caller gives none. So a call whose
connection is lost, of which nobody can say whether it was committed, is simply made again: a submission whose key is
there already is the same submission. (It costs about a tenth of a call's time. In bulk it would cost half of it, so
there only the caller's own keys are used.)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import count
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from uuid import uuid4

from shardkeeper.client.errors import ServerUnavailable, WaitTimeout
from shardkeeper.client.run import Run
from shardkeeper.domain.errors import GaveUpWaiting, NotFound, Refused, StoreUnavailable
from shardkeeper.node.actor import actor
from shardkeeper.node.compose_database import StoreAccess, open_store
from shardkeeper.node.operations.waiting import Waiting
from shardkeeper.ports.operator import OperatorStore, Row

T = TypeVar("T")
_NOTHING: Final[Mapping[str, Any]] = {}


class Client:
    """Settings come from where the command line has them (``SHARDKEEPER_DATABASE_URL``, ``SHARDKEEPER_CONFIG``), or the
    database from ``database_url``; ZooKeeper is not asked. ``by``: who submits, for ``requested_by`` (default: the name
    of the user). It connects when it is first used. Raises SettingsInvalid.

    Threads may share one: each that calls has its own connection, kept until ``close``. So may processes that were
    forked from the one that made it. When a connection is lost, the call is made once more on a new one, where that is
    safe (not ``rerun``, nor ``submit_many`` without keys); ServerUnavailable is raised when that fails, too.
    """

    def __init__(self, database_url: str | None = None, *, by: str | None = None) -> None:
        self._set_up(lambda: open_store(database_url), by)

    @classmethod
    def over(cls, opening: Callable[[], StoreAccess], *, by: str | None = None) -> Self:
        """A client over another store, such as one in memory."""
        made = cls.__new__(cls)
        made._set_up(opening, by)
        return made

    def _set_up(self, opening: Callable[[], StoreAccess], by: str | None) -> None:
        self._opening = opening
        self._access = opening()
        self._by = by or actor()
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections. Harmless twice; a call afterwards opens one again."""
        self._reach().close()

    def submit(
        self,
        job: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        priority: int = 0,
        at: datetime | None = None,
    ) -> Run:
        """Have a job run once, on whichever node has room, with ``parameters`` over the job's.

        ``key``: 1 to 200 characters, unique per job; given again, it gives the first run again. ``priority``: -100 to
        100, a point makes up for a minute of waiting; 0: the job's. ``at``: not before this instant (aware). Raises
        Refused (an unknown or disabled job, parameters that the job does not take) and ServerUnavailable.
        """
        _check_instant(at)
        given, named = parameters or _NOTHING, self._new_key() if key is None else key
        return Run(
            self,
            self._ask(lambda store: store.submit(job, given, named, priority, at, self._by)),
            job,
        )

    def submit_many(
        self,
        job: str,
        parameters: Iterable[Mapping[str, Any]],
        *,
        keys: Sequence[str] | None = None,
        priority: int = 0,
        at: datetime | None = None,
    ) -> list[Run]:
        """One run for each of ``parameters``, in their order, all or none in one transaction: some thousands at a time
        are best. ``keys``: one for each; without them a call whose connection is lost is not repeated, as nobody can
        say whether it was committed. Otherwise as ``submit``; Refused names the place of the one that is refused.
        """
        _check_instant(at)
        given = list(parameters)
        named = None if keys is None else list(keys)

        def submitted(store: OperatorStore) -> list[int]:
            return store.submit_many(job, given, named, priority, at, self._by)

        ids = self._ask(submitted) if named is not None else self._ask_once(submitted)
        return [Run(self, run_id, job) for run_id in ids]

    def run(self, run_id: int) -> Run:
        """A run by its id, whoever ordered it. Raises NotFound (a Refused) and ServerUnavailable."""
        state = self.state(run_id)
        return Run(self, run_id, str(state["job_name"]), state)

    def wait_all(self, runs: Sequence[Run], timeout: float | None = None, *, check: bool = True) -> list[Run]:
        """The runs, once all have ended; many are looked at in one query. ``timeout``: seconds for all of them; None:
        for ever. Raises WaitTimeout, ServerUnavailable when the database is away for a minute, and with ``check`` what
        ``wait`` raises of the first in order that is not COMPLETED."""
        waited_for = [run for run in runs if not run.known_to_have_ended]
        if waited_for:
            waiting = Waiting(self._reach().store, self._access.monotonic, self._access.pause)
            try:
                states = waiting.until_ended([run.id for run in waited_for], timeout)
            except GaveUpWaiting as error:
                raise WaitTimeout(str(error)) from None
            except StoreUnavailable as error:
                raise ServerUnavailable(str(error)) from error
            for run, state in zip(waited_for, states, strict=True):
                run.take(state)
        if check:
            for run in runs:
                run.raise_for_status()
        return list(runs)

    def stop(self, run: Run | int) -> bool:
        """Ask a run to stop: what waits is closed, what runs is asked to end, then killed. False: it had ended,
        or is not there. Raises ServerUnavailable."""
        run_id = run.id if isinstance(run, Run) else run
        return self._ask(lambda store: store.stop(run_id, self._by))

    def rerun(
        self, run: Run | int, parameters: Mapping[str, Any] | None = None, *, same_version: bool = False
    ) -> Run:
        """An ended run again, with ``parameters`` over its own, from the checkpoints of the items that were not
        COMPLETED; under the newest version of its job, or with ``same_version`` under its own. Raises Refused, and
        ServerUnavailable after which it is unknown whether the run was made."""
        old = run if isinstance(run, Run) else self.run(run)
        given = parameters or _NOTHING
        new = self._ask_once(lambda store: store.rerun(old.id, given, same_version, self._by))
        return Run(self, new, old.job_name)

    def state(self, run_id: int) -> Row:
        """What ``run_states`` says of a run; for Run. Raises NotFound and ServerUnavailable."""
        found = self._ask(lambda store: store.run_states((run_id,)))
        if not found:
            raise NotFound(f"there is no run {run_id} (any more)")
        return found[0]

    def in_full(self, run_id: int) -> Row:
        """A run with its attempts and values; for Run. Raises NotFound and ServerUnavailable."""
        found = self._ask(lambda store: store.run(run_id))
        if found is None:
            raise NotFound(f"there is no run {run_id} (any more)")
        return found

    def _ask_once(self, question: Callable[[OperatorStore], T]) -> T:
        try:
            return question(self._reach().store)
        except StoreUnavailable as error:
            raise ServerUnavailable(f"whether it was done is not known: {error}") from error

    def _ask(self, question: Callable[[OperatorStore], T]) -> T:
        """An answer to what may be asked twice."""
        store = self._reach().store
        try:
            return question(store)
        except StoreUnavailable:
            try:
                return question(store)
            except StoreUnavailable as error:
                raise ServerUnavailable(str(error)) from error

    def _reach(self) -> StoreAccess:
        """The store; in a process forked meanwhile, over connections (and with keys) of its own."""
        if os.getpid() != self._process:
            self._access = self._opening()
            self._begin()
        return self._access

    def _begin(self) -> None:
        self._process = os.getpid()
        self._session = f"client-{uuid4().hex}"
        self._numbers = count(1)

    def _new_key(self) -> str:
        self._reach()
        return f"{self._session}-{next(self._numbers)}"


def _check_instant(at: datetime | None) -> None:
    if at is not None and at.tzinfo is None:
        raise Refused("`at` names no time zone: give it one, such as tzinfo=UTC")
