"""The threads of a shared worker: one reads and runs orders one after another, as long as they are short.

Handing every order from a reading thread to a running one costs several times what a short attempt does. So the leader
runs what it has read, and the others sleep. Who leads is passed on before an order that may take longer, or when the
node sees orders lie unread behind one that does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from shardkeeper.workers.frames import Message
from shardkeeper.workers.mail import Inbox


class Team:
    """``run`` runs an order in the calling thread; ``ended`` is called when a thread ends against its will."""

    def __init__(
        self, inbox: Inbox, run: Callable[[Message], None], ended: Callable[[BaseException | None], None]
    ) -> None:
        self._inbox = inbox
        self._run = run
        self._ended = ended
        self._lead = threading.Lock()
        # guards all below
        self._gate = threading.Lock()
        self._leader: object | None = None
        """Who leads and is running an order; None while it reads."""
        self._vacant = False
        """Nobody leads, as all threads are at work."""
        self._width = 1
        self._threads = self._asleep = self._spread = 0

    def start(self) -> None:
        """The first leader."""
        with self._gate:
            self._hire()

    def widen(self, orders: int, width: int) -> None:
        """So many orders lie unread behind one that takes its time: let others read them, up to ``width`` threads."""
        with self._gate:
            self._spread = orders
            self._width = width
            if self._leader is not None:
                self._pass_on()
            elif self._vacant:
                self._find_leader()

    def _serve(self) -> None:
        try:
            while self._wait():
                self._reign()
        except BaseException as error:
            self._ended(error)
            raise

    def _wait(self) -> bool:
        """Until this thread leads. False when it is not needed any more."""
        with self._gate:
            if self._threads > self._width:
                self._threads -= 1
                return False
            self._asleep += 1
        self._lead.acquire()
        with self._gate:
            self._asleep -= 1
            self._vacant = False
        return True

    def _reign(self) -> None:
        """Read and run, until somebody else leads."""
        me = object()
        while True:
            message = self._inbox.take()
            if message is None:
                self._ended(None)
                return
            with self._gate:
                self._leader = me
                self._width = message.get("width", self._width)
                if self._spread or not message.get("short"):
                    self._pass_on()
            self._run(message)
            with self._gate:
                if self._leader is not me:
                    return
                self._leader = None

    def _pass_on(self) -> None:
        self._spread = max(0, self._spread - 1)
        self._leader = None
        self._lead.release()
        self._find_leader()

    def _find_leader(self) -> None:
        """Whoever is asleep; else one more, where there may be more; else the first one that has done its work."""
        if not self._asleep:
            self._vacant = self._threads >= self._width
            if not self._vacant:
                self._hire()

    def _hire(self) -> None:
        self._threads += 1
        name = f"shardkeeper-task-{self._threads}"
        threading.Thread(target=self._serve, name=name, daemon=True).start()
