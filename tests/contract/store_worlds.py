"""What a contract test of the stores needs from the world around the store, whichever store it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from shardkeeper.memory.authoring import Author as MemoryAuthor
from shardkeeper.memory.clock import VirtualClock
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.link import Link
from shardkeeper.memory.store import MemoryStore
from shardkeeper.ports.duties import AlertStore, HousekeepingStore, SweepStore
from shardkeeper.ports.leases import LeaseStore
from shardkeeper.ports.operator import OperatorStore
from shardkeeper.ports.runs import RunStore
from shardkeeper.ports.specs import SpecStore


class Author(ABC):
    """A person who writes specs; each call is a transaction of its own, except within ``transaction()``.

    ``put_...`` inserts, or updates the columns that are given."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]: ...

    @abstractmethod
    def put_job(self, name: str, **columns: Any) -> None: ...

    @abstractmethod
    def delete_job(self, name: str) -> None: ...

    @abstractmethod
    def put_pool(self, name: str, size: int) -> None: ...

    @abstractmethod
    def put_impl(self, name: str, **columns: Any) -> None: ...

    @abstractmethod
    def put_source(self, impl_spec: str, key: str, **columns: Any) -> None: ...


class StoreWorld(ABC):
    """One store behind all its ports, with its author and its time."""

    author: Author
    specs: SpecStore
    runs: RunStore
    leases: LeaseStore
    sweep: SweepStore
    alerts: AlertStore
    house: HousekeepingStore
    operator: OperatorStore
    on_time_window_s = 30.0

    @abstractmethod
    def now(self) -> datetime:
        """The store's clock: later than whatever was done before, earlier than whatever is done afterwards."""

    @abstractmethod
    def pass_time(self, seconds: float, *, fires_too: bool = False) -> None:
        """Let the store see so much time go by.

        A real one has what it stores moved into the past instead; but the fire times of runs, which are in
        the keys that tests hold, only where ``fires_too`` says so."""

    @abstractmethod
    def close(self) -> None: ...


class _AuthorInMemory(Author):
    """Time goes by while an author writes, as it does everywhere else."""

    def __init__(self, database: MemoryDatabase, clock: VirtualClock) -> None:
        self._author = MemoryAuthor(database)
        self._clock = clock

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._author.transaction():
            yield
        self._clock.advance(0.001)

    def put_job(self, name: str, **columns: Any) -> None:
        self._author.put_job(name, **columns)
        self._clock.advance(0.001)

    def delete_job(self, name: str) -> None:
        self._author.delete_job(name)
        self._clock.advance(0.001)

    def put_pool(self, name: str, size: int) -> None:
        self._author.put_pool(name, size)
        self._clock.advance(0.001)

    def put_impl(self, name: str, **columns: Any) -> None:
        self._author.put_impl(name, **columns)
        self._clock.advance(0.001)

    def put_source(self, impl_spec: str, key: str, **columns: Any) -> None:
        self._author.put_source(impl_spec, key, **columns)
        self._clock.advance(0.001)


def _judged_by_the_library(schema: Mapping[str, Any], value: Any) -> str | None:
    error = best_match(Draft202012Validator(schema).iter_errors(value))
    return None if error is None else f"{error.json_path}: {error.message}"


class _TurningLink(Link):
    """Where a call waits, the clock is turned."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, seconds: float) -> None:
        self._clock.advance(seconds)


class MemoryWorld(StoreWorld):
    """The twin, on a clock that tests turn."""

    def __init__(self) -> None:
        self._clock = VirtualClock()
        self._database = MemoryDatabase(
            self._clock, on_time_window_s=self.on_time_window_s, parameters_error=_judged_by_the_library
        )
        store = MemoryStore(self._database, _TurningLink(self._clock))
        self.author = _AuthorInMemory(self._database, self._clock)
        self.specs = self.runs = self.leases = self.sweep = store
        self.alerts = self.house = self.operator = store

    def now(self) -> datetime:
        self._clock.advance(0.001)
        now = self._clock.now()
        self._clock.advance(0.001)
        return now

    def pass_time(self, seconds: float, *, fires_too: bool = False) -> None:
        self._clock.advance(seconds)

    def close(self) -> None:
        pass
