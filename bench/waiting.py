"""Waiting for what another process will do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(look: Callable[[], T | None], what: str, patience_s: float = 60.0, every_s: float = 0.05) -> T:
    """What ``look`` finds, asked again every so many seconds. Raises TimeoutError that says ``what`` did not come."""
    deadline = time.monotonic() + patience_s
    pause = threading.Event()
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {patience_s:g} s")
        pause.wait(every_s)
    return found
