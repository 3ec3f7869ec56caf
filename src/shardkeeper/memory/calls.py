"""What every call to the store in memory has in common: the link that may be cut, the lock that makes it
atomic, and that what follows the runs it closed is started with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.follow_ups import start_followers
from shardkeeper.memory.link import Link

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Connection")


class Connection:
    """One node's way to a database."""

    def __init__(self, database: MemoryDatabase, link: Link | None = None) -> None:
        self.database = database
        self.link = link or Link()


def store_call(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Make ``method`` one atomic call over the link; raises StoreUnavailable as the link says."""
    return waiting_store_call(lambda *_args, **_kwargs: 0.0)(method)


def waiting_store_call(
    wait_s: Callable[Concatenate[S, P], float],
) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], R]]:
    """The same for a call that waits at the store for so many seconds before it does anything."""

    def decorate(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
        @wraps(method)
        def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            self.link.before(method.__name__)
            seconds = wait_s(self, *args, **kwargs)
            if seconds > 0:
                self.link.wait(seconds)
            with self.database.lock:
                answer = method(self, *args, **kwargs)
                start_followers(self.database)
            self.link.after(method.__name__)
            return answer

        return call

    return decorate
