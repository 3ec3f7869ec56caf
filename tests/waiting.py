"""Waiting for what another thread, process or server is about to do."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import Final, TypeVar

T = TypeVar("T")

_POLL_S: Final = 0.01


def wait_until(condition: Callable[[], T], timeout_s: float = 10.0, what: str = "the condition") -> T:
    """Ask `condition` every few milliseconds until it answers something true, and return that answer.

    Raises AssertionError naming `what`, with the last answer, after `timeout_s` seconds. Where the code under test
    offers an event, wait on that instead.
    """
    never = Event()
    deadline = monotonic() + timeout_s
    while True:
        answer = condition()
        if answer:
            return answer
        if monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {timeout_s:g} s; last answer: {answer!r}")
        never.wait(_POLL_S)
