"""When scheduled tasks began, told by the tasks themselves: each process adds lines to a file of its own.

A line costs a few microseconds, alike for all who are compared. Only the standard library: peers' tasks write from
their own virtual environments.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = "BENCH_BEGINNINGS"
"""The environment's variable that names the folder of the files."""
ENDING = ".began"


class Beginning(NamedTuple):
    """``due_s``: the whole second for which the schedule fired; ``began_s``: the clock's reading when its task began;
    both seconds since the epoch."""

    schedule: int
    due_s: int
    began_s: float


class Teller:
    """Adds lines to the file of this process; threads may share it."""

    def __init__(self, folder: Path) -> None:
        path = folder / f"{os.getpid()}{ENDING}"
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)

    def tell(self, schedule: int, due_s: float, began_s: float) -> None:
        os.write(self._file, f"{schedule} {int(due_s)} {began_s:.6f}\n".encode())


_tellers: dict[int, Teller] = {}


def tell(schedule: int, due_s: float, began_s: float | None = None) -> None:
    """The task of this schedule, which fired for ``due_s``, began: now, where no time is given."""
    began_s = time.time() if began_s is None else began_s
    teller = _tellers.get(os.getpid())
    if teller is None:
        teller = _tellers.setdefault(os.getpid(), Teller(Path(os.environ[FOLDER])))
    teller.tell(schedule, due_s, began_s)


def read(folder: Path) -> Iterator[Beginning]:
    """All that has been told so far."""
    for path in folder.glob(f"*{ENDING}"):
        for line in path.read_text().splitlines():
            schedule, due_s, began_s = line.split()
            yield Beginning(int(schedule), int(due_s), float(began_s))
