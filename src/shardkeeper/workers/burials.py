"""What becomes of a dead worker and of the orders that it held."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from shardkeeper.ports.workers import EntrypointChecked, WorkerEvent
from shardkeeper.workers.crew import Crew, named
from shardkeeper.workers.desk import Desk
from shardkeeper.workers.endings import ending_of_death, failed_unbegun, problem_of_death
from shardkeeper.workers.flight import NEVER, Check, Flight, Worker
from shardkeeper.workers.reports import Reports

_LOG = logging.getLogger(__name__)
_MOST_DEATHS = 3
"""Workers that may die over an order before it began; then the order is to blame."""


class Burials:
    """Each order that the dead worker held is over, or for another worker when it had not begun."""

    def __init__(self, crew: Crew, desk: Desk, reports: Reports, tell: Callable[[WorkerEvent], None]) -> None:
        self._crew = crew
        self._desk = desk
        self._reports = reports
        self._tell = tell

    def bury(self, worker: Worker, closing: bool) -> None:
        """``closing``: nothing is begun any more."""
        process = worker.process
        # what it had not even read is not its business
        self._desk.take_back(worker)
        expected = worker.leaving and not worker.flights
        death = process.bury(strays=not expected)
        self._crew.forget(worker)
        if worker in self._desk.idle:
            self._desk.idle.remove(worker)
        by_task = self._settle(worker, death)
        if not expected:
            reason = worker.reason or death
            _LOG.warning("%s", reason)
            restarts, others_live, now = self._crew.restarts, self._crew.any_ready, time.monotonic()
            if worker.ready or by_task:
                restarts.died(reason, by_task, now)
            else:
                restarts.died_unready(reason, others_live, worker.started_at, now)
        if closing:
            self._desk.return_all("workers are closing")
        process.close()

    def _settle(self, worker: Worker, death: str) -> bool:
        """Whether something that it ran is to blame."""
        by_task = False
        flights = list(worker.flights.values())
        why = worker.reason if worker.shared and worker.reason else death
        if worker.shared and len(flights) > 1:
            why += f"; it held {len(flights)} attempts: {', '.join(map(named, flights[:5]))}"
        log = None if worker.shared or not flights else worker.process.last_log()
        alone = len(flights) == 1
        for flight in flights:
            self._reports.look(worker, flight)
            worker.release(flight)
            suspect = flight.importing and alone
            # the first time it may have been killed by somebody; who cannot be imported dies of it again
            to_blame = flight.begun or flight.verdict is not None or (suspect and flight.deaths > 0)
            by_task = by_task or to_blame or suspect
            if not to_blame and flight.deaths + 1 < _MOST_DEATHS:
                self._again(flight)
            elif isinstance(flight.order, Check):
                problem = problem_of_death(flight, why)
                self._tell(EntrypointChecked(flight.order.entrypoint, flight.order.kind, problem))
            elif not to_blame:
                reason = f"{_MOST_DEATHS} workers died before it began, the last: {why}"
                self._desk.end(flight, failed_unbegun("WorkerDied", reason))
            else:
                phase = None if worker.shared else worker.process.page.phase
                reason = worker.reason if worker.reason and flight.verdict is None else why
                self._desk.end(flight, ending_of_death(flight, reason, phase, log))
        return by_task

    def _again(self, flight: Flight) -> None:
        flight.deaths += 1
        flight.importing = False
        flight.import_at = NEVER
        self._desk.queue_of(flight).appendleft(flight)
