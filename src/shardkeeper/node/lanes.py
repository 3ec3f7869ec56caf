"""Lanes: each talks to one port, one call at a time, and gathers what arrives meanwhile into the next (DESIGN.md §5).

So a batch is sent at once when nothing is under way, and grows by itself under load. A slow or absent server holds up
its own lane and nothing else; the loop never waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.planner.events import Event

A = TypeVar("A")
A_contra = TypeVar("A_contra", contravariant=True)


class Work(Protocol[A_contra]):
    """What a lane does with what was gathered."""

    most: int
    """The most actions in one call."""

    def run(self, actions: Sequence[A_contra]) -> list[Event]:
        """Call the port; the answers. Raises StoreUnavailable when nobody knows whether it took effect."""

    def failed(
        self, actions: Sequence[A_contra], error: StoreUnavailable
    ) -> tuple[list[Event], float | None]:
        """What the planner is told, and after how many seconds the same is tried again (None: not at all)."""


class Lane(Protocol[A_contra]):
    """Takes actions from the loop; their answers arrive as events."""

    def put(self, action: A_contra) -> None:
        """Never blocks."""


class ThreadLane(Generic[A]):
    """A lane with a thread of its own. ``post`` puts events into the node's mailbox; ``broken`` is told of a defect."""

    def __init__(
        self,
        name: str,
        work: Work[A],
        post: Callable[[Event], None],
        broken: Callable[[str, Exception], None],
    ) -> None:
        self._name = name
        self._work = work
        self._post = post
        self._broken = broken
        self._waiting: list[A] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Idempotent."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=f"lane-{self._name}", daemon=True)
            self._thread.start()

    def put(self, action: A) -> None:
        """See Lane."""
        with self._changed:
            self._waiting.append(action)
            self._changed.notify()

    def stop(self, timeout_s: float) -> None:
        """End after the call under way; what was not sent is dropped. Tolerates never-started and twice."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _serve(self) -> None:
        while (actions := self._gather()) is not None:
            try:
                events = self._work.run(actions)
            except StoreUnavailable as error:
                events, again_s = self._work.failed(actions, error)
                if again_s is not None:
                    self._again(actions, again_s)
            except Exception as error:  # noqa: BLE001  a lane's rim: a defect ends the node loudly, never a lane silently
                self._broken(self._name, error)
                return
            for event in events:
                self._post(event)

    def _gather(self) -> list[A] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if self._stopping:
                return None
            actions = self._waiting[: self._work.most]
            del self._waiting[: self._work.most]
            return actions

    def _again(self, actions: list[A], after_s: float) -> None:
        """Put them back in front, and wait before the next try."""
        with self._changed:
            self._waiting[:0] = actions
            self._changed.wait_for(lambda: self._stopping, after_s)
