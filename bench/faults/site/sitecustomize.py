"""Read by Python as it starts in a node whose clock is stepped (bench/faults/clock.py).

libfaketime 0.9.10 answers EINVAL to the system call by which Python 3.11 and newer sleep, where the monotonic clock is
to stay true (https://github.com/wolfcw/libfaketime/issues/426); `select` waits by the same clock.
"""

from __future__ import annotations

import select
import time
from typing import SupportsIndex


def sleep(seconds: float | SupportsIndex, /) -> None:
    """As time.sleep."""
    select.select((), (), (), float(seconds))


time.sleep = sleep
