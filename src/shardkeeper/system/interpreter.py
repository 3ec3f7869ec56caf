"""Python's own settings, in a process of some twenty threads that lives for months and makes values by the thousand.

What is there once the daemon is composed stays for good, and next to nothing of what comes later lies in a cycle. So
the collector need not walk through all of it again and again: that took a fifth of a busy node's processor time.

Each thread does little at a time and waits for others: a supervisor that wants the interpreter for some microseconds
must not wait for 5 ms, in which its workers run dry, until a thread with a large answer in hand has to let go of it.
"""

from __future__ import annotations

import gc
import sys

_YOUNG, _MIDDLE, _OLD = 20_000, 20, 20
"""New objects until the youngest are looked through, and how many such looks until the older ones are, too."""
_TURN_S = 0.001
"""A thread that computes lets go of the interpreter after this, when another wants it."""


def tune() -> None:
    """The collector leaves alone whatever is there now, and looks seldom at the rest; threads have shorter turns."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    sys.setswitchinterval(_TURN_S)
