"""Python's collector of cycles, in a process that lives for months and makes values by the thousand.

What is there once the daemon is composed stays for good, and next to nothing of what comes later lies in a cycle. So
the collector need not walk through all of it again and again: that took a fifth of a busy node's processor time.
"""

from __future__ import annotations

import gc

_YOUNG, _MIDDLE, _OLD = 20_000, 20, 20
"""New objects until the youngest are looked through, and how many such looks until the older ones are, too."""


def calm() -> None:
    """Leave alone whatever is there now, and look seldom at the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
