"""What the driver of a peer's schedules does, and the command line by which the benchmark starts it.

Run by the python of the peer's own virtual environment: only the standard library and the peer. A process prints
READY when its schedules are in place and its clock runs, and works until SIGTERM.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.peers.driver import READY


@dataclass(frozen=True, slots=True)
class Wanted:
    """``url``: of the peer's server, fresh; ``schedules``: numbered from 0; each fires every ``every_s`` seconds, or
    once at ``at_s`` (whole seconds since the epoch); ``settings``: what the peer is driven with."""

    url: str
    schedules: int
    every_s: int
    at_s: int | None
    settings: tuple[str, ...]

    @property
    def at(self) -> datetime | None:
        """The instant of a burst, UTC."""
        return None if self.at_s is None else datetime.fromtimestamp(self.at_s, UTC)

    @property
    def cron(self) -> str:
        """The same with seconds as the sixth field."""
        if (at := self.at) is None:
            return "* * * * * *" if self.every_s == 1 else f"* * * * * */{self.every_s}"
        return f"{at.minute} {at.hour} {at.day} {at.month} * {at.second}"


class ScheduleDriver(ABC):
    """One peer with its schedules."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted

    @abstractmethod
    def run(self, role: str) -> None:
        """Be one of the peer's processes until SIGTERM."""


def run(driver: type[ScheduleDriver]) -> None:
    """Be what the command line says."""
    arguments = _arguments()
    wanted = Wanted(
        arguments.url,
        arguments.schedules,
        arguments.every,
        arguments.at,
        tuple(arguments.settings),
    )
    driver(wanted).run(arguments.role)


def say_ready() -> None:
    print(READY, flush=True)  # noqa: T201  from here on it is watched


def wait_for_end() -> None:
    """Until SIGTERM."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=sys.argv[0])
    parser.add_argument("role", help="which of the peer's processes this one is")
    parser.add_argument("--url", required=True)
    parser.add_argument("--schedules", type=int, required=True)
    parser.add_argument("--every", type=int, default=1, help="seconds (%(default)s)")
    parser.add_argument("--at", type=int, help="once, at this whole second since the epoch")
    parser.add_argument("--settings", action="append", default=[])
    return parser.parse_args()
