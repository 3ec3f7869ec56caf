"""Runs: listing them, ordering them, waiting for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from shardkeeper.domain.errors import NotFound
from shardkeeper.domain.naming import parse_run_name
from shardkeeper.domain.problems import shown
from shardkeeper.domain.runs import AttemptStatus, RunStatus
from shardkeeper.node.operations.waiting import Waiting
from shardkeeper.ports.operator import OperatorStore, Row, RunFilter

POLL_S = 0.2
MOST_RUNS = 100_000


class RunOperations:
    """A run is named by its id or its run name. ``monotonic`` and ``pause``: seconds."""

    def __init__(
        self, store: OperatorStore, monotonic: Callable[[], float], pause: Callable[[float], object]
    ) -> None:
        self._store = store
        self._pause = pause
        self._waiting = Waiting(store, monotonic, pause)

    def listing(self, wanted: RunFilter) -> list[Row]:
        """Newest fire time first."""
        return self._store.runs(wanted)

    def get(self, run: str) -> Row:
        """One run with ``shard_runs`` and ``values``. Raises NotFound, and Refused for what is no name of a run."""
        key = run_key(run)
        found = self._store.run(key)
        if found is None:
            raise NotFound(f"there is no run {shown(run)}: `shardkeeper runs` lists them")
        return found

    def trigger(
        self, job: str, parameters: Mapping[str, Any], item: int | None, fire_time: datetime | None, by: str
    ) -> Row:
        """The manual run. Raises OrderRefused."""
        return self.get(str(self._store.trigger(job, parameters, item, fire_time, by)))

    def submit(
        self,
        job: str,
        parameters: Mapping[str, Any],
        key: str | None,
        priority: int,
        at: datetime | None,
        by: str,
    ) -> int:
        """The submission's run. Raises OrderRefused."""
        return self._store.submit(job, parameters, key, priority, at, by)

    def submit_many(
        self,
        job: str,
        parameters: Sequence[Mapping[str, Any]],
        keys: Sequence[str] | None,
        priority: int,
        at: datetime | None,
        by: str,
    ) -> list[int]:
        """All or none of them. Raises OrderRefused."""
        return self._store.submit_many(job, parameters, keys, priority, at, by)

    def pools(self) -> list[Row]:
        """By name: size, running and waiting attempts."""
        return self._store.pools()

    def stop(self, run: str, by: str) -> bool:
        """Ask a run to stop; False: it had ended. Raises NotFound."""
        return self._store.stop(int(self.get(run)["id"]), by)

    def dead_letters(self, job: str, since: datetime | None, limit: int | None) -> list[str]:
        """The ids of the job's FAILED runs that were not run again yet, oldest fire time first; of more than ``limit``
        the newest."""
        again = {row["rerun_of"] for row in self._store.runs(RunFilter(job, since=since, limit=MOST_RUNS))}
        failed = self._store.runs(RunFilter(job, RunStatus.FAILED, since=since, limit=MOST_RUNS))
        return [str(row["id"]) for row in failed if row["id"] not in again][:limit][::-1]

    def rerun(self, run: str, parameters: Mapping[str, Any], same_version: bool, by: str) -> Row:
        """The new run. Raises NotFound and OrderRefused."""
        old = int(self.get(run)["id"])
        return self.get(str(self._store.rerun(old, parameters, same_version, by)))

    def wait(self, run_id: int, timeout_s: float | None) -> Row:
        """The run once it is closed. Raises GaveUpWaiting."""
        self._waiting.until_ended([run_id], timeout_s)
        return self.get(str(run_id))

    def wait_all(self, run_ids: Sequence[int], timeout_s: float | None) -> list[Row]:
        """What ``run_states`` says of each once all are closed. Raises GaveUpWaiting."""
        return self._waiting.until_ended(run_ids, timeout_s)

    def follow(self, run: str) -> Iterator[Row]:
        """Each attempt as it changes (status, phase or progress), until the run is closed; each closed attempt once."""
        run_id = str(self.get(run)["id"])
        seen: dict[tuple[int, int], tuple[Any, ...]] = {}
        while True:
            row = self.get(run_id)
            for attempt in row["shard_runs"]:
                key = (attempt["item"], attempt["attempt"])
                state = tuple(attempt[name] for name in ("status", "phase", "progress", "progress_message"))
                if seen.get(key) != state and attempt["status"] != AttemptStatus.PENDING:
                    seen[key] = state
                    yield attempt
            if not RunStatus(row["status"]).is_open:
                return
            self._pause(POLL_S)


def run_key(run: str) -> int | str:
    """An id, or a run name. Raises Refused."""
    if run.isascii() and run.isdigit() and len(run) <= 18:
        return int(run)
    parse_run_name(run)
    return run
