"""Jobs that this version of Shardkeeper does not understand, by their own spec or by the ImplSpec they name.

During a rolling upgrade they may be right for newer nodes: this node declines them, and never marks them invalid.
"""

from __future__ import annotations

from collections.abc import Mapping

from shardkeeper.domain.catalog import JobHistory
from shardkeeper.node.histories import Reading


class NotUnderstood:
    """Told of each reading; says which declines the store must be told of."""

    def __init__(self) -> None:
        self._specs: dict[str, str] = {}
        self._impls: dict[str, str] = {}
        self._impl_of: dict[str, str] = {}
        self._users: dict[str, set[str]] = {}
        self.told: dict[str, str] = {}
        """What the store knows: jobs that this node declines for this, with the reason."""

    def changes(self, reading: Reading) -> dict[str, str | None]:
        """What is to be told, with None for what is understood again. Asked again, it says so until ``tell``."""
        touched = set(reading.jobs)
        for name, history in reading.jobs.items():
            self._learn_job(name, history, reading.unknown.get(name))
        for impl in reading.impls:
            _put(self._impls, impl, reading.unknown_impls.get(impl))
            touched |= self._users.get(impl, set())
        return {
            name: reason for name in sorted(touched) if (reason := self._why(name)) != self.told.get(name)
        }

    def tell(self, changes: Mapping[str, str | None]) -> None:
        """The store knows of these now."""
        for name, reason in changes.items():
            _put(self.told, name, reason)

    def _learn_job(self, name: str, history: JobHistory, unknown: str | None) -> None:
        _put(self._specs, name, unknown)
        before = self._impl_of.pop(name, None)
        if before is not None:
            self._users[before].discard(name)
        if history.last is not None:
            impl = self._impl_of[name] = history.last.spec.impl_spec
            self._users.setdefault(impl, set()).add(name)

    def _why(self, name: str) -> str | None:
        impl = self._impl_of.get(name)
        return self._specs.get(name) or (self._impls.get(impl) if impl is not None else None)


def _put(table: dict[str, str], name: str, value: str | None) -> None:
    if value is None:
        table.pop(name, None)
    else:
        table[name] = value
