"""The one loop of a daemon: takes letters from the mailbox and from the agenda, and hands them to the node.

It never waits for a server. It pings the service manager's watchdog by itself, so that a loop that is stuck is
restarted, and it compares the wall clock with the monotonic one at each turn, so that a step of the wall clock is
noticed within a turn.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from shardkeeper.domain.planner.events import ClockStepped
from shardkeeper.node.agenda import Agenda
from shardkeeper.node.node import Letter, Node
from shardkeeper.ports.clock import Clock

LONGEST_WAIT_S = 0.5
"""A turn comes at least this often, for the watchdog and the clock."""
STEP_S = 0.5
"""Wall minus monotonic time that moved by more than this between two turns is a step, not a drift."""


class Loop:
    """``alive`` is called at each turn (watchdog); ``broken`` when a letter shows a defect: the daemon ends loudly."""

    def __init__(
        self, clock: Clock, alive: Callable[[], None], broken: Callable[[str, Exception], None]
    ) -> None:
        self._clock = clock
        self._alive = alive
        self._broken = broken
        self._mailbox: queue.SimpleQueue[Letter] = queue.SimpleQueue()
        self._agenda: Agenda[Letter] = Agenda()
        self._offset_s = self._wall_minus_monotonic()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def post(self, letter: Letter) -> None:
        """Put a letter into the mailbox, from any thread."""
        self._mailbox.put(letter)

    def at(self, mono: float, letter: Letter) -> None:
        """Put a letter on the agenda; from the loop's own thread, or before it starts."""
        self._agenda.put(mono, letter)

    def later(self, seconds: float, letter: Letter) -> None:
        """Put a letter on the agenda, so many seconds from now; from the loop's own thread, or before it starts."""
        self._agenda.put(self._clock.monotonic() + seconds, letter)

    def start(self, node: Node) -> None:
        """Idempotent."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, args=(node,), name="loop", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End after the letter in hand. Tolerates never-started and twice."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _serve(self, node: Node) -> None:
        while not self._stopping.is_set():
            try:
                self._turn(node)
            except Exception as error:  # noqa: BLE001  the loop's rim: a defect ends the daemon loudly
                self._broken("loop", error)
                return

    def _turn(self, node: Node) -> None:
        self._alive()
        stepped = self._stepped_by()
        if stepped is not None:
            node.handle(ClockStepped(stepped))
        # one in a turn: what is due may be due again at once (a look-back in pieces), for many turns
        if (due := self._agenda.due(self._clock.monotonic())) is not None:
            node.handle(due)
            self._drain(node)
            return
        wait_s = self._agenda.wait_s(self._clock.monotonic(), LONGEST_WAIT_S)
        try:
            node.handle(self._mailbox.get(timeout=wait_s) if wait_s > 0 else self._mailbox.get_nowait())
        except queue.Empty:
            return
        self._drain(node)

    def _drain(self, node: Node) -> None:
        """Letters that lie there already; a bounded number, so that the agenda is not forgotten."""
        for _ in range(min(1_000, self._mailbox.qsize())):
            node.handle(self._mailbox.get())

    def _wall_minus_monotonic(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    def _stepped_by(self) -> float | None:
        offset_s = self._wall_minus_monotonic()
        moved_s = offset_s - self._offset_s
        self._offset_s = offset_s
        return moved_s if abs(moved_s) > STEP_S else None
