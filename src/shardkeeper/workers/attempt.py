"""One attempt inside its worker: what stands behind the task's context, and where a stop reaches it."""

from __future__ import annotations

import ctypes
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from shardkeeper.task import TaskStopped
from shardkeeper.workers.capture import Capture
from shardkeeper.workers.frames import Message, framed, packed
from shardkeeper.workers.imports import Imports
from shardkeeper.workers.jsontext import NotJson, TooLarge, json_text
from shardkeeper.workers.page import Page

PROGRESS_EVERY_S = 0.25
_LOG = logging.getLogger("shardkeeper.task")


class Surroundings:
    """What attempts of a worker share. ``send`` gives a whole frame to the node."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        imports: Imports,
        capture: Capture,
        page: Page,
        script_dirs: tuple[str, ...],
        secrets: tuple[str, ...],
    ) -> None:
        self.send = send
        self.imports = imports
        self.capture = capture
        self.page = page
        self.script_dirs = script_dirs
        self.secrets = secrets


class Attempt:
    """The ContextHost of one order. ``order`` is the message that brought it."""

    def __init__(self, order: Message, around: Surroundings, shared: bool) -> None:
        """``shared``: other attempts run in this process at the same time."""
        self.order = order
        self.seq: int = order["seq"]
        self.slot: int = order.get("slot", 0)
        self.context: dict[str, Any] = order["context"]
        # not sent where there is none: a null makes the coding of a message slow (see frames)
        self.context.setdefault("item_parameter", None)
        self.around = around
        self.shared = shared
        self.log = _LOG
        self.phase: str | None = None
        self.stop_asked = False
        self.stop_seen = False
        self.on_stop: Callable[[], None] | None = None
        self.interruptible = False
        self._interrupt_asked = False
        self._lock = threading.Lock()
        self._thread_id: int | None = None
        self._next_progress = 0.0
        self._told_import = False
        self._compensable = False

    # what the task may call

    def cancelled(self) -> bool:
        if self.stop_asked:
            self.stop_seen = True
        return self.stop_asked

    def save_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        if not isinstance(checkpoint, Mapping):
            raise TypeError(f"a checkpoint is a mapping, not a {type(checkpoint).__name__}")
        try:
            text = json_text(dict(checkpoint), self.order["result_limit"], "checkpoint")
        except (NotJson, TooLarge) as error:
            raise ValueError(str(error)) from None
        self.around.send(framed(b'{"t":"checkpoint","seq":%d,"checkpoint":%s}' % (self.seq, text)))

    def progress(self, fraction: float | None, message: str) -> None:
        now = time.monotonic()
        if now < self._next_progress and fraction != 1.0:
            return
        self._next_progress = now + PROGRESS_EVERY_S
        if fraction is not None:
            fraction = min(1.0, max(0.0, float(fraction)))
            fraction = None if math.isnan(fraction) else fraction
        self.say("progress", phase=self.phase or "initialize", fraction=fraction, message=str(message)[:500])

    # what its worker calls

    def say(self, what: str, **fields: Any) -> None:
        """Send a message about this attempt."""
        self.around.send(packed({"t": what, "seq": self.seq, **fields}))

    def importing(self) -> None:
        """Its module is being loaded, which may take long, or end the worker."""
        self._told_import = True
        self.say("importing")

    def begin(self, at: float, code_version: str | None, compensable: bool) -> None:
        """Its first phase begins. The node finds it on the page; after an import, when it has stopped looking, it is
        told.
        """
        self._compensable = compensable
        self.around.page.begin(self.slot, self.seq, at, code_version, compensable)
        if self._told_import:
            self.say("started")

    def entered(self, phase: str) -> None:
        """A phase begins."""
        self.phase = phase
        if not self.shared:
            self.around.page.enter(phase)
        if "phases" in self.order or (self._compensable and phase == "calculate"):
            self.say("phase", phase=phase)

    def ask_to_stop(self) -> None:
        """From the watching thread: ``context.cancelled`` is True from now on."""
        self.stop_asked = True
        if self.on_stop is not None:
            self.on_stop()

    def interrupt(self, signal_main: Callable[[], None]) -> None:
        """From the watching thread: throw TaskStopped into the task, once.

        ``signal_main`` makes the main thread look."""
        self.ask_to_stop()
        with self._lock:
            if self._interrupt_asked:
                return
            self._interrupt_asked = True
            if not self.shared:
                signal_main()
            elif self._thread_id is not None:
                _throw(self._thread_id, ctypes.py_object(TaskStopped))

    def interrupted(self) -> bool:
        """In the main thread's signal handler: whether to raise TaskStopped now; True at most once."""
        if self.interruptible and self._interrupt_asked:
            self.interruptible = False
            return True
        return False

    def open(self) -> None:
        """The task's code runs in this thread from here on; raises TaskStopped when that is not wanted any more."""
        with self._lock:
            self._thread_id = threading.get_ident()
            asked = self._interrupt_asked
        self.interruptible = not asked
        if asked:
            raise TaskStopped

    def shut(self) -> None:
        """No exception is thrown into this thread from here on."""
        self.interruptible = False
        with self._lock:
            if self.shared and self._interrupt_asked and self._thread_id is not None:
                # one that was thrown and has not arrived is taken back
                _throw(self._thread_id, None)
            self._thread_id = None


def _throw(thread_id: int, error: Any) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), error)
