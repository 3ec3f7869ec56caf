"""Processor time of processes and their children: the share of the machine that a figure was paid with."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Self

import psutil


def processor_seconds(pids: Sequence[int]) -> float:
    """Spent so far by these processes and all their descendants."""
    return sum(map(_spent, pids))


class Shares:
    """What kinds of process spend from `begin` on."""

    def __init__(self, pids: Mapping[str, Sequence[int]]) -> None:
        self._pids = pids
        self._before: dict[str, float] = {}
        self._began = 0.0

    def begin(self) -> Self:
        self._before = {kind: processor_seconds(pids) for kind, pids in self._pids.items()}
        self._began = time.perf_counter()
        return self

    def seconds(self) -> dict[str, float]:
        """Processor time."""
        return {kind: processor_seconds(pids) - self._before[kind] for kind, pids in self._pids.items()}

    def cores(self) -> dict[str, float]:
        """Cores in use on average."""
        elapsed = time.perf_counter() - self._began
        return {kind: spent / elapsed for kind, spent in self.seconds().items()}


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
