"""The authors' side of the store: what people do with INSERT, UPDATE and DELETE on job_spec, impl_spec and
source_data.

Every change is an immutable version, stamped when its transaction commits; numbers are never used again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from shardkeeper.memory.closing import close_with_job
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.following import refuse_follows
from shardkeeper.memory.history import What
from shardkeeper.memory.rows import ImplVersion, JobVersion
from shardkeeper.memory.terms import (
    IMPL_DEFAULTS,
    JOB_DEFAULTS,
    SOURCE_DEFAULTS,
    impl_json,
    job_json,
    source_json,
    terms_of,
    typed,
)
from shardkeeper.ports.specs import Hint

_MICROSECOND = timedelta(microseconds=1)

Change = Callable[["_Changed"], None]


class _Changed:
    """The names that a transaction has touched."""

    def __init__(self) -> None:
        self.jobs: dict[str, None] = {}
        self.impls: dict[str, None] = {}
        self.undo: list[Callable[[], object]] = []
        """What takes the changes back, the last first."""


class Author:
    """Writes specs; each call is a transaction of its own, except within ``transaction()``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._open: list[Change] | None = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Gather the changes made within and commit them together at its end; an exception rolls them
        back."""
        database = self._database
        begun_at, number = database.now(), database.number("change")
        changes: list[Change] = []
        self._open = changes
        database.unfinished[number] = None
        try:
            try:
                yield
            finally:
                self._open = None
            self._commit(changes, begun_at, number)
        finally:
            database.unfinished.pop(number, None)

    def put_job(self, name: str, **columns: Any) -> None:
        """Insert the job, or update these columns of it. Raises ValueError where SQL's CHECKs would refuse."""
        before = self._database.jobs.get(name, {})
        self.replace_job(**(before | columns | {"name": name}))

    def replace_job(self, name: str, **columns: Any) -> None:
        """The same, but columns that are not given get their defaults."""
        unknown = set(columns) - set(JOB_DEFAULTS) - {"impl_spec"}
        if unknown:
            raise ValueError(f"job_spec has no columns {sorted(unknown)}")
        row = {"name": name} | JOB_DEFAULTS | typed(columns)
        terms_of(row)
        self._do(lambda changed: self._set_job(changed, name, row))

    def delete_job(self, name: str) -> None:
        self._do(lambda changed: self._set_job(changed, name, None))

    def put_pool(self, name: str, size: int) -> None:
        """Insert the pool, or change its size: from the next claim on."""
        with self._database.lock:
            self._database.pools[name] = size

    def put_impl(self, name: str, **columns: Any) -> None:
        """Insert the ImplSpec (python, ``tasks:Task`` by default), or update these columns of it."""
        before = self._database.impls.get(name, {})
        self.replace_impl(**(before | columns | {"name": name}))

    def replace_impl(self, name: str, **columns: Any) -> None:
        """The same, but columns that are not given get their defaults."""
        row = {"kind": "python", "entrypoint": "tasks:Task"} | IMPL_DEFAULTS | columns | {"name": name}
        self._do(lambda changed: self._set_impl(changed, name, row))

    def delete_impl(self, name: str) -> None:
        self._do(lambda changed: self._set_impl(changed, name, None))

    def put_source(self, impl_spec: str, key: str, **columns: Any) -> None:
        """Insert the source, or update these columns of it: a new version of its ImplSpec."""
        before = self._database.sources.get(impl_spec, {}).get(key, {})
        self.replace_source(**(before | columns | {"impl_spec": impl_spec, "key": key}))

    def replace_source(self, impl_spec: str, key: str, **columns: Any) -> None:
        """The same, but columns that are not given get their defaults."""
        row = SOURCE_DEFAULTS | columns | {"impl_spec": impl_spec, "key": key}
        self._do(lambda changed: self._set_source(changed, impl_spec, key, row))

    def delete_source(self, impl_spec: str, key: str) -> None:
        self._do(lambda changed: self._set_source(changed, impl_spec, key, None))

    def _do(self, change: Change) -> None:
        if self._open is not None:
            self._open.append(change)
        else:
            self._commit([change], self._database.now(), self._database.number("change"))

    def _commit(self, changes: list[Change], begun_at: datetime, number: int) -> None:
        database = self._database
        with database.lock:
            changed = _Changed()
            try:
                for change in changes:
                    change(changed)
                refuse_follows(database, changed.jobs)
            except ValueError:
                for undo in reversed(changed.undo):
                    undo()
                raise
            stamp = database.rules.stamp(begun_at, database.now())
            for name in changed.impls:
                self._version_impl(name, stamp, number)
            for name in changed.jobs:
                self._version_job(name, stamp, number)
            database.unfinished.pop(number, None)
            if changed.jobs or changed.impls:
                database.tell(Hint("specs", frozenset(changed.jobs), frozenset(changed.impls)))

    def _set_job(self, changed: _Changed, name: str, row: dict[str, Any] | None) -> None:
        if row is None and name not in self._database.jobs:
            return
        _put(changed, self._database.jobs, name, row)
        changed.jobs[name] = None

    def _set_impl(self, changed: _Changed, name: str, row: dict[str, Any] | None) -> None:
        if row is None and name not in self._database.impls:
            return
        _put(changed, self._database.impls, name, row)
        if row is None:
            _put(changed, self._database.sources, name, None)
        changed.impls[name] = None

    def _set_source(self, changed: _Changed, impl: str, key: str, row: dict[str, Any] | None) -> None:
        sources = self._database.sources.setdefault(impl, {})
        if row is None and key not in sources:
            return
        _put(changed, sources, key, row)
        changed.impls[impl] = None

    def _version_job(self, name: str, stamp: datetime, change: int) -> None:
        database = self._database
        row = database.jobs.get(name)
        spec = None if row is None else job_json(row)
        versions = database.job_versions.setdefault(name, [])
        latest = versions[-1] if versions else None
        if spec == (latest.spec if latest else None):
            return
        terms = None if row is None else terms_of(row)
        number = database.number("version")
        version = JobVersion(name, number, spec, terms, _after(stamp, latest))
        versions.append(version)
        database.job_version_by_no[number] = version
        database.job_changes[name] = change
        for followed in terms.follows.get("jobs", ()) if terms else ():
            database.followers.setdefault(followed, {})[name] = None
        database.note(What.VERSION, job_name=name, version=number, note="deleted" if spec is None else None)
        if spec is None:
            database.paid_until.pop(name, None)
            close_with_job(database, name)

    def _version_impl(self, name: str, stamp: datetime, change: int) -> None:
        database = self._database
        row, sources = database.impls.get(name), database.sources.get(name, {})
        impl = None if row is None else impl_json(row)
        inputs = tuple(source_json(sources[key]) for key in sorted(sources))
        versions = database.impl_versions.setdefault(name, [])
        latest = versions[-1] if versions else None
        if (impl, inputs) == ((latest.impl, latest.sources) if latest else (None, ())):
            return
        number = database.number("version")
        version = ImplVersion(name, number, impl, inputs, _after(stamp, latest))
        versions.append(version)
        database.impl_version_by_no[number] = version
        database.impl_changes[name] = change
        database.note(
            What.IMPL_VERSION, job_name=name, version=number, note="deleted" if impl is None else None
        )


def _put(changed: _Changed, table: dict[str, dict[str, Any]], name: str, row: dict[str, Any] | None) -> None:
    """Write the row, None removes it; so that it can be taken back."""
    before = table.get(name)
    if before is None:
        changed.undo.append(lambda: table.pop(name, None))
    else:
        changed.undo.append(lambda: table.update({name: before}))
    if row is None:
        table.pop(name, None)
    else:
        table[name] = row


def _after(stamp: datetime, latest: JobVersion | ImplVersion | None) -> datetime:
    """Versions of a name are in force one after the other, even when the clock did not move between them."""
    return stamp if latest is None else max(stamp, latest.in_force_from + _MICROSECOND)
