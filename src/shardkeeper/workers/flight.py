"""A worker and the orders in it: what is known of them, and when something must be done about them.

All instants are of the monotonic clock, in seconds: a step of the wall clock stops or kills nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from shardkeeper.ports.workers import AttemptOrder
from shardkeeper.workers.mail import packets_of
from shardkeeper.workers.process import WorkerProcess

NEVER = float("inf")
_EXIT_PATIENCE_S = 2.0
_EXIT = packets_of({"t": "exit"})


@dataclass(frozen=True, slots=True)
class Check:
    """An entrypoint to be tried."""

    entrypoint: str
    kind: str


class Verdict(StrEnum):
    """Why an attempt is being ended from outside."""

    STOP = "stop"
    WHOLE = "timeout"
    PHASE = "phase timeout"
    IMPORT = "import timeout"
    CLOSE = "close"


class Flight:
    """An order on its way to its end. ``seq``: its number in this node's life."""

    # what most flights never change stands in the class: to make one costs next to nothing
    worker: Worker | None = None
    slot = 0
    """Where its worker's page tells that it has begun."""
    large = False
    """Of several packets: not to be taken back from its worker's queue."""
    short = False
    """Others like it took next to no time."""
    deaths = 0
    """Workers that died before it began."""
    importing = False
    started_at: float | None = None
    """Wall clock, seconds since the epoch; None: not begun."""
    seen_at = 0.0
    """When it was seen to have begun."""
    code_version: str | None = None
    compensable = False
    phase: str | None = None
    verdict: Verdict | None = None
    detail = ""
    whole_at = NEVER
    phase_at = NEVER
    import_at = NEVER
    interrupt_at = NEVER
    kill_at = NEVER

    def __init__(self, seq: int, order: AttemptOrder | Check) -> None:
        self.seq = seq
        self.order = order

    @property
    def next_at(self) -> float:
        """When to look at it again."""
        return min(self.whole_at, self.phase_at, self.import_at, self.interrupt_at, self.kill_at)

    @property
    def begun(self) -> bool:
        """Whether something of it has run."""
        return self.started_at is not None

    def start(self, epoch_s: float, code_version: str | None, compensable: bool, now: float) -> None:
        """Its first phase begins."""
        assert isinstance(self.order, AttemptOrder)
        self.started_at = epoch_s
        self.seen_at = now
        self.code_version = code_version
        self.compensable = compensable
        self.importing = False
        self.import_at = NEVER
        if self.order.timeout_s is not None:
            self.whole_at = now + self.order.timeout_s

    def enter(self, phase: str, now: float) -> None:
        """Another phase begins."""
        assert isinstance(self.order, AttemptOrder)
        self.phase = phase
        self.phase_at = now + self.order.phase_timeouts_s.get(phase, NEVER)

    def stop(self, now: float, kill_after_s: float) -> None:
        """Asked to stop; the sooner kill wins, and an end that is under way already is not put off."""
        if self.verdict is None:
            self.verdict = Verdict.STOP
        self.interrupt_at = min(self.interrupt_at, now + kill_after_s / 2)
        self.kill_at = min(self.kill_at, now + kill_after_s)

    def run_out(self, now: float, grace_s: float) -> None:
        """Decide which time has run out by now, if any; then it is interrupted at once and killed after the grace."""
        assert isinstance(self.order, AttemptOrder)
        if now >= self.whole_at:
            self._expire(Verdict.WHOLE, f"took longer than {self.order.timeout_s:g} s")
        elif now >= self.phase_at:
            limit_s = self.order.phase_timeouts_s.get(self.phase or "", 0.0)
            self._expire(Verdict.PHASE, f"{self.phase} took longer than {limit_s:g} s")
        else:
            return
        self.whole_at = self.phase_at = NEVER
        self.interrupt_at = now
        self.kill_at = min(self.kill_at, now + grace_s)

    def _expire(self, verdict: Verdict, detail: str) -> None:
        # one who was asked to stop before stays stopped
        if self.verdict is None:
            self.verdict, self.detail = verdict, detail


class Worker:
    """A process and what it is doing."""

    __slots__ = (
        "flights",
        "free",
        "idle_since",
        "kill_at",
        "leaving",
        "moved_at",
        "process",
        "ready",
        "reason",
        "shared",
        "silent",
        "started_at",
    )

    def __init__(self, process: WorkerProcess, shared: bool, started_at: float, ready_by: float) -> None:
        self.process = process
        self.shared = shared
        self.started_at = started_at
        self.ready = False
        self.leaving = False
        self.kill_at = ready_by
        self.reason: str | None = None
        """Why the node has killed it, if it has."""
        self.flights: dict[int, Flight] = {}
        self.free = list(range(process.page.slots))
        """Slots of its page that no flight holds."""
        self.moved_at = 0.0
        """When it was last seen to end something, or to get its only order."""
        self.idle_since = 0.0
        self.silent = False
        """It did not even begin what it was given: nothing is given to it ahead until it ends something."""

    def hold(self, flight: Flight, now: float) -> None:
        """An order is on its way to it."""
        if not self.flights:
            self.moved_at = now
        flight.worker = self
        self.flights[flight.seq] = flight

    def release(self, flight: Flight) -> None:
        """It has nothing to do with that order any more."""
        del self.flights[flight.seq]
        self.free.append(flight.slot)
        flight.worker = None

    def leave(self, now: float) -> None:
        """No more orders; it ends when it has nothing left to do."""
        if not self.leaving:
            self.leaving = True
            self.kill_at = NEVER
        if not self.flights and self.kill_at == NEVER:
            self.kill_at = now + _EXIT_PATIENCE_S
            self.process.outbox.send(_EXIT)

    def kill(self, reason: str) -> None:
        """At once; the pidfd will tell when it is dead."""
        if self.reason is None:
            self.reason = reason
        self.kill_at = NEVER
        self.process.kill()


def instant(epoch_s: float) -> datetime:
    """Wall clock seconds as an aware UTC instant."""
    return datetime.fromtimestamp(epoch_s, UTC)
