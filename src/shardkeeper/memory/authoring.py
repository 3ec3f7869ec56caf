"""The authors' side of the store: what people do with INSERT, UPDATE and DELETE on job_spec, impl_spec and
source_data.

Every change is an immutable version, stamped when its transaction commits; numbers are never used again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from shardkeeper.memory.closing import close_with_job
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.history import What
from shardkeeper.memory.rows import ImplVersion, JobVersion
from shardkeeper.memory.terms import IMPL_DEFAULTS, JOB_DEFAULTS, SOURCE_DEFAULTS, as_json, terms_of
from shardkeeper.ports.specs import Hint

Change = Callable[["_Changed"], None]


class _Changed:
    """The names that a transaction has touched."""

    def __init__(self) -> None:
        self.jobs: dict[str, None] = {}
        self.impls: dict[str, None] = {}


class Author:
    """Writes specs; each call is a transaction of its own, except within ``transaction()``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._open: list[Change] | None = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Gather the changes made within and commit them together at its end; an exception rolls them
        back."""
        begun_at = self._database.now()
        changes: list[Change] = []
        self._open = changes
        try:
            yield
        finally:
            self._open = None
        self._commit(changes, begun_at)

    def put_job(self, name: str, **columns: Any) -> None:
        """Insert the job, or update these columns of it. Raises ValueError where SQL's CHECKs would
        refuse."""
        unknown = set(columns) - set(JOB_DEFAULTS) - {"impl_spec"}
        if unknown:
            raise ValueError(f"job_spec has no columns {sorted(unknown)}")
        row = {"name": name} | JOB_DEFAULTS | self._database.jobs.get(name, {}) | columns
        terms_of(row)
        self._do(lambda changed: self._set_job(changed, name, row))

    def delete_job(self, name: str) -> None:
        self._do(lambda changed: self._set_job(changed, name, None))

    def put_impl(self, name: str, **columns: Any) -> None:
        """Insert the ImplSpec (python, ``tasks:Task`` by default), or update these columns of it."""
        first = {"name": name, "kind": "python", "entrypoint": "tasks:Task"} | IMPL_DEFAULTS
        row = first | self._database.impls.get(name, {}) | columns
        self._do(lambda changed: self._set_impl(changed, name, row))

    def delete_impl(self, name: str) -> None:
        self._do(lambda changed: self._set_impl(changed, name, None))

    def put_source(self, impl_spec: str, key: str, **columns: Any) -> None:
        """Insert the source, or update these columns of it: a new version of its ImplSpec."""
        first = {"impl_spec": impl_spec, "key": key} | SOURCE_DEFAULTS
        row = first | self._database.sources.get(impl_spec, {}).get(key, {}) | columns
        self._do(lambda changed: self._set_source(changed, impl_spec, key, row))

    def delete_source(self, impl_spec: str, key: str) -> None:
        self._do(lambda changed: self._set_source(changed, impl_spec, key, None))

    def _do(self, change: Change) -> None:
        if self._open is not None:
            self._open.append(change)
        else:
            self._commit([change], self._database.now())

    def _commit(self, changes: list[Change], begun_at: datetime) -> None:
        database = self._database
        with database.lock:
            changed = _Changed()
            for change in changes:
                change(changed)
            stamp = database.rules.stamp(begun_at, database.now())
            for name in changed.impls:
                self._version_impl(name, stamp)
            for name in changed.jobs:
                self._version_job(name, stamp)
            if changed.jobs or changed.impls:
                database.tell(Hint("specs", frozenset(changed.jobs), frozenset(changed.impls)))

    def _set_job(self, changed: _Changed, name: str, row: dict[str, Any] | None) -> None:
        if row is not None:
            self._database.jobs[name] = row
        elif self._database.jobs.pop(name, None) is None:
            return
        changed.jobs[name] = None

    def _set_impl(self, changed: _Changed, name: str, row: dict[str, Any] | None) -> None:
        if row is not None:
            self._database.impls[name] = row
        elif self._database.impls.pop(name, None) is None:
            return
        else:
            self._database.sources.pop(name, None)
        changed.impls[name] = None

    def _set_source(self, changed: _Changed, impl: str, key: str, row: dict[str, Any] | None) -> None:
        sources = self._database.sources.setdefault(impl, {})
        if row is not None:
            sources[key] = row
        elif sources.pop(key, None) is None:
            return
        changed.impls[impl] = None

    def _version_job(self, name: str, stamp: datetime) -> None:
        database = self._database
        row = database.jobs.get(name)
        version = JobVersion(
            name,
            database.number("job_version"),
            None if row is None else as_json(row),
            None if row is None else terms_of(row),
            stamp,
        )
        database.job_versions.setdefault(name, []).append(version)
        database.job_version_by_no[version.version] = version
        database.job_changes[name] = database.number("change")
        note = "deleted" if row is None else None
        database.note(What.VERSION, job_name=name, version=version.version, note=note)
        if row is None:
            close_with_job(database, name)

    def _version_impl(self, name: str, stamp: datetime) -> None:
        database = self._database
        row = database.impls.get(name)
        sources = database.sources.get(name, {})
        version = ImplVersion(
            name,
            database.number("impl_version"),
            None if row is None else as_json(row),
            tuple(as_json(sources[key]) for key in sorted(sources)),
            stamp,
        )
        database.impl_versions.setdefault(name, []).append(version)
        database.impl_version_by_no[version.version] = version
        database.impl_changes[name] = database.number("change")
        note = "deleted" if row is None else None
        database.note(What.IMPL_VERSION, job_name=name, version=version.version, note=note)
