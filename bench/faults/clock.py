"""The wall clock of one node, stepped while it runs: libfaketime, loaded before everything else into the node and its
workers, adds to the wall clock what stands in a file, and looks into it every second; the monotonic clock stays true.

Not its variant for threads, which holds back signals while it tells the time: a thread that lets them through again may
be given one that was to wake the main thread, where alone Python's handlers run, and of nodes that were told to go one
in three did not hear of it. What the variant guards is the looking, and that is seldom.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psutil

_LIBRARY = "faketime/libfaketime.so.1"
_SITE = Path(__file__).parent / "site"
_SHARED = Path("/dev/shm")


class NodeClock:
    """``library``: see `find_library`; ``file``: where the offset is kept."""

    def __init__(self, library: Path, file: Path) -> None:
        self._library = library
        self._file = file
        self.step_to(0)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the node is started with."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # the times of files stay what they are
            "NO_FAKE_STAT": "1",
            # see site/sitecustomize.py
            "PYTHONPATH": str(_SITE),
        }

    def step_to(self, offset_s: int) -> None:
        """Let the node's clock be so many seconds ahead of this machine's, within a second from now."""
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{offset_s:+d}\n")
        beside.replace(self._file)


def find_library() -> Path | None:
    """Debian's package `libfaketime`, or one that was installed by hand; None where there is none."""
    places = [*Path("/usr/lib").glob(f"*/{_LIBRARY}"), Path("/usr/local/lib") / _LIBRARY]
    return next((place for place in places if place.exists()), None)


def remove_leftovers() -> None:
    """What libfaketime keeps in shared memory for a process that was killed, it leaves there."""
    for pattern in ("faketime_shm_*", "sem.faketime_sem_*"):
        for left in _SHARED.glob(pattern):
            pid = left.name.rpartition("_")[2]
            if pid.isdecimal() and not psutil.pid_exists(int(pid)):
                left.unlink(missing_ok=True)
