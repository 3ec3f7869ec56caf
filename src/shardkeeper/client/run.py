"""A run as the client hands it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shardkeeper.client.errors import RunError, RunFailed, RunStopped
from shardkeeper.domain.runs import AttemptStatus, RunStatus
from shardkeeper.ports.operator import Row


@dataclass(frozen=True, slots=True)
class RunValue:
    """One calculated value of a COMPLETED item."""

    item: int
    key: str
    value: Any
    weight: float


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is. ``fraction``: 0 to 1, the mean over its items, of which one that reports nothing counts as 0
    until it is COMPLETED; ``message``: what the item that runs said last."""

    fraction: float
    message: str
    items_completed: int
    items: int


class Runs(Protocol):
    """What a run asks of its client."""

    def state(self, run_id: int) -> Row: ...

    def in_full(self, run_id: int) -> Row: ...

    def wait_all(self, runs: Sequence[Run], timeout: float | None = None) -> list[Run]: ...

    def stop(self, run: int) -> bool: ...


class Run:
    """One run of a job. Until it has ended, each look at an attribute asks the database; from then on nothing does, but
    for the first look at ``values`` and each at ``progress``."""

    __slots__ = ("_client", "_state", "_values", "id", "job_name")

    def __init__(self, client: Runs, run_id: int, job_name: str, state: Row | None = None) -> None:
        self._client = client
        self._state = state
        self._values: tuple[RunValue, ...] | None = None
        self.id = run_id
        self.job_name = job_name

    def __repr__(self) -> str:
        seen = "" if self._state is None else f" {self._state['status']}"
        return f"<Run {self.id} of {self.job_name}{seen}>"

    def wait(self, timeout: float | None = None) -> Run:
        """Itself, once it is COMPLETED. ``timeout``: seconds; None: for ever. Raises RunFailed, RunStopped, WaitTimeout
        and ServerUnavailable."""
        self._client.wait_all((self,), timeout)
        return self

    def refresh(self) -> Run:
        """Itself, read anew."""
        self._state = self._client.state(self.id)
        return self

    def stop(self) -> bool:
        """Ask it to stop: what waits is closed, what runs is asked to end, then killed. False: it had ended."""
        return self._client.stop(self.id)

    def raise_for_status(self) -> None:
        """Raise RunFailed or RunStopped when it ended otherwise than COMPLETED."""
        status = self.status
        if status is RunStatus.FAILED:
            raise RunFailed(self.id, self.job_name, self.error, self.reason)
        if not status.is_open and status is not RunStatus.COMPLETED:
            raise RunStopped(self.id, self.job_name, status, self.reason)

    @property
    def status(self) -> RunStatus:
        """CREATED, RUNNING, COMPLETED, FAILED, STOPPED (a text, too)."""
        return RunStatus(self._now()["status"])

    @property
    def ended(self) -> bool:
        """Whether it has."""
        return not self.status.is_open

    @property
    def reason(self) -> str | None:
        """Why it ended so, where its items do not tell."""
        return self._text("reason")

    @property
    def result(self) -> Any:
        """What its task returned; of a job with several items, an object by item. None until it is COMPLETED, and for a
        task that returns CalculateValues."""
        return self._now()["result"]

    @property
    def error(self) -> RunError | None:
        """The first failed item's, once the run has FAILED."""
        row = self._now()
        if row["failed_item"] is None:
            return None
        return RunError(row["failed_item"], row["error_type"], row["error_message"])

    @property
    def started_at(self) -> datetime | None:
        """When its first attempt began, UTC."""
        found: datetime | None = self._now()["started_at"]
        return found

    @property
    def finished_at(self) -> datetime | None:
        """When it ended, UTC."""
        found: datetime | None = self._now()["finished_at"]
        return found

    @property
    def values(self) -> tuple[RunValue, ...]:
        """What its COMPLETED items calculated, by item and key."""
        if self._values is not None:
            return self._values
        ended = self.ended
        rows = self._client.in_full(self.id)["values"]
        values = tuple(RunValue(row["item"], row["key"], row["value"], float(row["weight"])) for row in rows)
        if ended:
            self._values = values
        return values

    @property
    def progress(self) -> RunProgress:
        """How far it is; its tasks say so with ``context.progress``."""
        row = self._client.in_full(self.id)
        last = {one["item"]: one for one in row["shard_runs"] if not one["compensates"]}
        completed = [one for one in last.values() if one["status"] == AttemptStatus.COMPLETED]
        running = [one for one in last.values() if one["status"] == AttemptStatus.RUNNING]
        done = len(completed) + sum(float(one["progress"] or 0.0) for one in running)
        said = [one["progress_message"] for one in running if one["progress_message"]]
        return RunProgress(done / max(1, len(last)), said[-1] if said else "", len(completed), len(last))

    @property
    def known_to_have_ended(self) -> bool:
        """Whether it had when last looked at; asks nothing."""
        return self._state is not None and not RunStatus(self._state["status"]).is_open

    def take(self, state: Row) -> None:
        """What its client has read of it."""
        self._state = state

    def _text(self, name: str) -> str | None:
        found = self._now()[name]
        return None if found is None else str(found)

    def _now(self) -> Row:
        if self._state is None or not self.known_to_have_ended:
            self._state = self._client.state(self.id)
        return self._state
