"""What each peer's driver does, and the command line by which the benchmark asks for it.

Run by the python of the peer's own virtual environment: only the standard library and the peer. Each command prints
one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from bench.pings import Board

READY = "ready"


class Driver(ABC):
    """One peer. ``url`` is its server's, ``settings`` what the command line has beyond the command."""

    def __init__(self, url: str, settings: argparse.Namespace) -> None:
        self.url = url
        self.settings = settings

    def install(self) -> None:  # noqa: B027  a peer without a schema has nothing to do
        """Make its schema."""

    @abstractmethod
    def submit_ping(self, board: str) -> None:
        """Submit one task that pings; returns when it is accepted."""

    @abstractmethod
    def submit(self, count: int) -> None:
        """Submit no-op tasks, each accepted before the next."""

    @abstractmethod
    def submit_many(self, count: int) -> None:
        """Submit no-op tasks in the quickest way that the peer has."""

    @abstractmethod
    def drain(self) -> tuple[float, list[float]]:
        """Work until nothing is left; when the first task was taken up and when each ended (seconds since the epoch),
        where the worker is the one who knows."""

    @abstractmethod
    def work(self) -> None:
        """Work until SIGTERM."""

    def recorded(self, since: float) -> tuple[float, list[float]] | None:
        """The same from what the peer has recorded since then; None: it records no such thing."""
        return None


def run(driver: type[Driver]) -> None:
    """Carry out one command."""
    arguments = _arguments()
    peer = driver(arguments.url, arguments)
    answer = _commands(peer, arguments)
    print(json.dumps(answer), flush=True)  # noqa: T201  the answer


def _commands(peer: Driver, arguments: argparse.Namespace) -> Any:
    match arguments.command:
        case "install":
            return peer.install()
        case "submit":
            return _timed(lambda: peer.submit(arguments.count))
        case "submit-many":
            return _timed(lambda: peer.submit_many(arguments.count))
        case "drain":
            print(READY, flush=True)  # noqa: T201  from here on its processor time counts
            return peer.drain()
        case "recorded":
            return peer.recorded(arguments.since)
        case "work":
            return peer.work()
        case _:
            with Board(Path(arguments.board)) as board:
                for _ in range(5):
                    peer.submit_ping(board.path)
                    board.wait()
                return board.pick_ups(lambda: peer.submit_ping(board.path), arguments.count)


def _timed(work: Any) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=sys.argv[0])
    parser.add_argument(
        "command", choices=("install", "submit", "submit-many", "drain", "recorded", "work", "pick-ups")
    )
    parser.add_argument("--url", required=True)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--since", type=float, default=0.0, help="seconds since the epoch")
    parser.add_argument("--board", default="", help="path of the socket for pings")
    parser.add_argument("--client", default="psycopg", help="PgQueuer: psycopg or asyncpg")
    parser.add_argument("--consumers", type=int, default=1, help="in this process")
    parser.add_argument("--batch", type=int, default=10, help="tasks fetched at once")
    parser.add_argument("--concurrency", type=int, default=1, help="tasks at once in this process")
    return parser.parse_args()
