"""Deadlines of attempts, on the monotonic clock: imports, phases and the whole; interruption, then the kill."""

from __future__ import annotations

from shardkeeper.workers.crew import named
from shardkeeper.workers.flight import NEVER, Flight, Verdict, Worker
from shardkeeper.workers.reports import Reports
from shardkeeper.workers.settings import WorkersSettings


class Deadlines:
    """``settings``: how long an import may take, and an interrupted attempt to end."""

    def __init__(self, settings: WorkersSettings, reports: Reports) -> None:
        self._settings = settings
        self._reports = reports

    def end(self, worker: Worker, now: float) -> None:
        """Kill a worker that has not started, or not ended, by when it should have."""
        if now >= worker.kill_at:
            what = "end" if worker.ready else "start"
            worker.kill(f"the worker did not {what} in time")

    def hurry(self, worker: Worker, flight: Flight, now: float) -> None:
        """Do what is due for one attempt by now."""
        self._reports.look(worker, flight)
        if now >= flight.import_at:
            flight.import_at = NEVER
            flight.verdict = Verdict.IMPORT
            flight.detail = f"importing it took longer than {self._settings.import_timeout_s:g} s"
            worker.kill(f"killed while {named(flight)} was being imported: {flight.detail}")
        if now >= min(flight.whole_at, flight.phase_at):
            flight.run_out(now, self._settings.timeout_grace_s)
        if now >= flight.interrupt_at:
            flight.interrupt_at = NEVER
            worker.process.order({"t": "interrupt", "seq": flight.seq})
        if now >= flight.kill_at:
            flight.kill_at = NEVER
            reason = flight.detail or "was to stop"
            worker.kill(f"the worker was killed because {named(flight)} did not end by itself ({reason})")
