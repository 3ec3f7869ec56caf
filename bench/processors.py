"""Processor time of processes and their children: the share of the machine that a figure was paid with."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Self

import psutil

OTHERS = "others"


def processor_seconds(pids: Sequence[int]) -> float:
    """Spent so far by these processes and all their descendants."""
    return sum(map(_spent, pids))


def machine_seconds() -> float:
    """Spent so far by all processes of this machine."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + times.irq + times.softirq


def own_seconds(pids: Sequence[int]) -> float:
    """Spent so far by these processes themselves, without their children."""
    return sum(map(_own, pids))


class Shares:
    """What kinds of process spend from `begin` on.

    With ``others``, so does a kind of that name, which is all the rest of the machine: the benchmark itself, the
    system, and whatever disturbs it.
    """

    def __init__(self, pids: Mapping[str, Sequence[int]], *, others: bool = False) -> None:
        self._pids = pids
        self._others = others
        self._before: dict[str, float] = {}
        self._began = 0.0

    def begin(self) -> Self:
        self._before = self._spent()
        self._began = time.perf_counter()
        return self

    def seconds(self) -> dict[str, float]:
        """Processor time."""
        return {kind: spent - self._before[kind] for kind, spent in self._spent().items()}

    def cores(self) -> dict[str, float]:
        """Cores in use on average."""
        elapsed = time.perf_counter() - self._began
        return {kind: spent / elapsed for kind, spent in self.seconds().items()}

    def _spent(self) -> dict[str, float]:
        spent = {kind: processor_seconds(pids) for kind, pids in self._pids.items()}
        return spent | {OTHERS: machine_seconds() - sum(spent.values())} if self._others else spent


def _spent(pid: int) -> float:
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        # backends and workers that have ended are counted with their parent
        ended = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    total = ended.children_user + ended.children_system
    for one in family:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _own(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
