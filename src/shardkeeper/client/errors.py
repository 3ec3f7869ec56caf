"""What the client raises, beside ``Refused`` and ``SettingsInvalid``."""

from __future__ import annotations

from dataclasses import dataclass

from shardkeeper.domain.errors import GaveUpWaiting, ShardkeeperError, Unreachable
from shardkeeper.domain.runs import RunStatus


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run failed: the error of the last attempt of its first item that failed. ``type``: the exception's, such as
    ``ValueError`` or ``acme.errors.NoSuchFile``, or what became of the attempt (``TimedOut``, ``WorkerDied``)."""

    item: int | None
    type: str | None
    message: str | None

    def __str__(self) -> str:
        said = ": ".join(part for part in (self.type, self.message) if part)
        return f"item {self.item}: {said}" if self.item is not None else said


class RunFailed(ShardkeeperError):
    """The run failed for good. ``error``: the first failed item's, None when none of its items failed by itself, which
    ``reason`` then explains."""

    def __init__(self, run_id: int, job_name: str, error: RunError | None, reason: str | None) -> None:
        self.run_id, self.job_name, self.error, self.reason = run_id, job_name, error, reason
        super().__init__(f"run {run_id} of {job_name} failed: {error or reason or 'no reason is known'}")

    def __reduce__(self) -> tuple[type[RunFailed], tuple[int, str, RunError | None, str | None]]:
        return (type(self), (self.run_id, self.job_name, self.error, self.reason))


class RunStopped(ShardkeeperError):
    """The run was stopped: by somebody, by its task (``Cancel``), or because its job was deleted. Also raised for a
    record that is no run: a fire that was SKIPPED or MISSED; ``status`` tells which."""

    def __init__(self, run_id: int, job_name: str, status: RunStatus, reason: str | None) -> None:
        self.run_id, self.job_name, self.status, self.reason = run_id, job_name, status, reason
        super().__init__(f"run {run_id} of {job_name} is {status}{f': {reason}' if reason else ''}")

    def __reduce__(self) -> tuple[type[RunStopped], tuple[int, str, RunStatus, str | None]]:
        return (type(self), (self.run_id, self.job_name, self.status, self.reason))


class WaitTimeout(GaveUpWaiting, TimeoutError):
    """The time to wait ran out. The run goes on, and may be waited for again."""


class ServerUnavailable(Unreachable):
    """PostgreSQL did not answer, also not when asked a second time."""
