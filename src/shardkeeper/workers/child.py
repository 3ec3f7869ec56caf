"""A worker process: ``python -m shardkeeper.workers.child ORDERS CHANNEL CONTROL PAGE LOG MODE``.

The first five are descriptors, the mode is ``own`` or ``shared``.

Orders are taken one by one from their queue by the main thread, which runs them (``own``), or by threads (``shared``).
Outcomes leave over the channel, each at once. The control socket is read by a thread of its own, which is asleep
unless somebody is to be stopped, or the node has died: then it kills this process's group, itself included.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType

from shardkeeper.task import DistributeTask, TaskStopped
from shardkeeper.tasks import node_settings
from shardkeeper.workers.attempt import Attempt, Surroundings
from shardkeeper.workers.capture import Capture, MemoryTail
from shardkeeper.workers.frames import FrameReader, Message, packed
from shardkeeper.workers.hygiene import Hygiene
from shardkeeper.workers.imports import Declined, Imports
from shardkeeper.workers.kinds import find_task
from shardkeeper.workers.mail import Inbox
from shardkeeper.workers.outcome import outcome_frame, run_attempt
from shardkeeper.workers.page import Page
from shardkeeper.workers.strays import become_reaper, descendants, has_children, kill_children
from shardkeeper.workers.team import Team

LOST_CHANNEL = 97
"""Exit code of a worker whose channel to the node was closed or overwritten by a task."""
BROKEN = 98
"""Exit code of a worker with a defect of its own."""


class Child:
    """The worker's own side."""

    def __init__(
        self, orders_fd: int, channel_fd: int, control_fd: int, page_fd: int, log_fd: int, shared: bool
    ) -> None:
        self._pid = os.getpid()
        self._shared = shared
        self._inbox = Inbox(_high(orders_fd))
        self._channel = socket.socket(fileno=_high(channel_fd))
        self._control = socket.socket(fileno=_high(control_fd))
        self._channel_stat = _identity(self._channel.fileno())
        self._page = Page(page_fd)
        os.close(page_fd)
        self._capture = Capture(self._page, _high(log_fd))
        self._sending = threading.Lock()
        self._attempts: dict[int, Attempt] = {}
        self._stopped_early: set[int] = set()
        self._registry = threading.Lock()
        self._current: Attempt | None = None
        self._team = Team(self._inbox, self._handle, self._team_ended)

    def run(self) -> None:
        """Until told to leave, or the node is gone."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        # a worker ends by its node's word alone; a handler, unlike SIG_IGN, is not inherited by what a task executes
        signal.signal(signal.SIGINT, _ignored)
        signal.signal(signal.SIGHUP, _ignored)
        if not self._shared:
            # its orphans are reaped after each attempt; among threads nobody could tell whose they are
            become_reaper()
        self._capture.install()
        hello = self._inbox.take()
        if hello is None:
            self._die()
            return
        self._around = Surroundings(
            self._send,
            Imports(hello["allowed_modules"]),
            self._capture,
            self._page,
            tuple(hello["script_dirs"]),
            tuple(hello["secrets"]),
        )
        node_settings.tell(hello["built_in"])
        threading.Thread(target=self._watch, name="shardkeeper-watch", daemon=True).start()
        self._hygiene = Hygiene((0, 1, 2), (self._channel, self._control, self._inbox.socket))
        # what is there now stays: the collector of cycles need not walk through it between a task's objects
        gc.freeze()
        self._send(packed({"t": "ready"}))
        if self._shared:
            self._team.start()
            # signals are for the main thread, which has nothing else to do
            threading.Event().wait()
        self._serve_alone()

    def _serve_alone(self) -> None:
        try:
            for message in self._inbox:
                self._handle(message)
        except OSError:
            os._exit(LOST_CHANNEL)
        self._die()

    def _team_ended(self, error: BaseException | None) -> None:
        """Never by an attempt's doing. Without this thread its attempt, and all after it, would wait for ever."""
        if error is None:
            self._die()
        os._exit(LOST_CHANNEL if isinstance(error, OSError) else BROKEN)

    def _handle(self, message: Message) -> None:
        match message["t"]:
            case "run" if self._shared:
                self._run_beside(message)
            case "run":
                self._run_alone(message)
            case "check":
                self._check(message)
            case "exit":
                os._exit(0)

    # attempts

    def _run_alone(self, message: Message) -> None:
        self._page.clear()
        attempt = self._register(message)
        self._current = attempt
        outcome, body = run_attempt(attempt, self._find)
        self._leave_if_forked()
        self._current = None
        with self._registry:
            del self._attempts[attempt.seq]
        self._end_children(outcome)
        self._add_log(outcome)
        self._look_for_changes(outcome)
        self._send(outcome_frame(outcome, body))
        if "retire" in outcome:
            os._exit(0)

    def _run_beside(self, message: Message) -> None:
        attempt = self._register(message)
        self._capture.begin(MemoryTail())
        outcome, body = _undisturbed(attempt)
        self._leave_if_forked()
        self._add_log(outcome)
        with self._registry:
            del self._attempts[attempt.seq]
        self._send(outcome_frame(outcome, body))

    def _end_children(self, said: Message) -> None:
        if has_children():
            kill_children()
            if has_children():
                said["retire"] = "children that cannot be killed"

    def _look_for_changes(self, said: Message) -> None:
        spoilt = self._hygiene.spoilt()
        if spoilt is not None:
            said.setdefault("retire", f"the task has changed: {spoilt}")

    def _add_log(self, outcome: Message) -> None:
        log = self._capture.text(self._around.secrets)
        if log is not None:
            outcome["log"] = log
        self._capture.take_streams()

    def _register(self, message: Message) -> Attempt:
        attempt = Attempt(message, self._around, self._shared)
        with self._registry:
            self._attempts[attempt.seq] = attempt
            early = attempt.seq in self._stopped_early
            self._stopped_early.discard(attempt.seq)
        if early:
            attempt.ask_to_stop()
        return attempt

    def _find(self, attempt: Attempt) -> tuple[Callable[[], DistributeTask], str | None]:
        imports = self._around.imports
        before = imports.count
        found = find_task(attempt)
        if imports.count != before:
            self._hygiene.accept_import()
        return found

    def _check(self, message: Message) -> None:
        attempt = Attempt({"context": {}, "result_limit": 0, **message}, self._around, self._shared)
        problem = None
        try:
            self._find(attempt)
        except Declined as declined:
            problem = str(declined)
        self._leave_if_forked()
        said: Message = {"t": "checked", "seq": message["seq"], "problem": problem}
        if not self._shared:
            # an import may do anything that a task may
            self._end_children(said)
            self._look_for_changes(said)
        self._send(packed(said))
        if "retire" in said:
            os._exit(0)

    # the node's other wishes

    def _watch(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        reader = FrameReader(65_536)
        while True:
            try:
                data = self._control.recv(4096)
            except OSError:
                return
            if not data:
                self._die()
            for message in reader.feed(data):
                self._wish(message)

    def _wish(self, message: Message) -> None:
        if message["t"] == "widen":
            self._team.widen(message["orders"], message["width"])
        else:
            self._stop(message["seq"], message["t"] == "interrupt")

    def _stop(self, seq: int, interrupt: bool) -> None:
        with self._registry:
            attempt = self._attempts.get(seq)
            if attempt is None:
                self._stopped_early.add(seq)
                return
        if interrupt:
            attempt.interrupt(lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM))
        else:
            attempt.ask_to_stop()

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        attempt = self._current
        if attempt is not None and attempt.interrupted():
            raise TaskStopped

    def _die(self) -> None:
        for pid in descendants(self._pid):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.killpg(0, signal.SIGKILL)
        os._exit(0)

    def _send(self, frame: bytes) -> None:
        if os.getpid() != self._pid:
            # a forked child of the task tells its progress: it may, but one voice is enough
            return
        with self._sending:
            try:
                if _identity(self._channel.fileno()) != self._channel_stat:
                    os._exit(LOST_CHANNEL)
                self._channel.sendall(frame)
            except OSError:
                os._exit(LOST_CHANNEL)

    def _leave_if_forked(self) -> None:
        if os.getpid() != self._pid:
            # a process that the task forked has come back from the task: it has no business here
            os._exit(0)


def _undisturbed(attempt: Attempt) -> tuple[Message, bytes]:
    """An exception thrown into this thread may arrive late, when the task's code has ended already."""
    try:
        return run_attempt(attempt, find_task)
    except TaskStopped:
        outcome = {"t": "ended", "seq": attempt.seq, "status": "STOPPED", "error_message": "stopped"}
        return {**outcome, "times_ms": {}}, b""


def _ignored(number: int, frame: FrameType | None) -> None:
    return None


def _high(fd: int) -> int:
    """The same at a number that a careless task is unlikely to close or to be given again."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 200)
    os.close(fd)
    return high


def _identity(fd: int) -> tuple[int, int]:
    stat = os.fstat(fd)
    return stat.st_dev, stat.st_ino


def main() -> None:
    """Start as the node asks."""
    *fds, mode = sys.argv[1:]
    sys.argv[1:] = []
    orders, channel, control, page, log = map(int, fds)
    Child(orders, channel, control, page, log, mode == "shared").run()


if __name__ == "__main__":
    main()
