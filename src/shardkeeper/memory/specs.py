"""The SpecStore of the store in memory (rules 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from shardkeeper.memory.alerting import DECLINED, INVALID, add_alert
from shardkeeper.memory.calls import Connection, store_call
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.history import What
from shardkeeper.memory.rows import ImplVersion, JobVersion
from shardkeeper.ports.specs import Declined, ImplVersionRow, InvalidMark, JobVersionRow, PauseRow, SpecRows


class MemorySpecs(Connection):
    """See ``ports.specs.SpecStore``."""

    @store_call
    def load(self) -> SpecRows:
        return _rows_of(self.database, self.database.job_versions, self.database.impl_versions)

    @store_call
    def changes(self, token: str) -> SpecRows:
        since = int(token)
        jobs = [name for name, change in self.database.job_changes.items() if change > since]
        impls = [name for name, change in self.database.impl_changes.items() if change > since]
        return _rows_of(self.database, jobs, impls)

    @store_call
    def named(self, jobs: Sequence[str], impls: Sequence[str]) -> SpecRows:
        return _rows_of(self.database, jobs, impls)

    @store_call
    def pinned(self, job_versions: Sequence[int], impl_versions: Sequence[int]) -> SpecRows:
        database = self.database
        jobs = [database.job_version_by_no[no] for no in job_versions if no in database.job_version_by_no]
        impls = [database.impl_version_by_no[no] for no in impl_versions if no in database.impl_version_by_no]
        return SpecRows(
            frozenset(each.job_name for each in jobs),
            frozenset(each.impl_name for each in impls),
            tuple(map(as_job_row, jobs)),
            tuple(map(as_impl_row, impls)),
            (),
            database.now(),
            "",
            tuple(
                Declined(job.job_name, node_id, reason, (job_version, impl_version))
                for job in {job.job_name: job for job in jobs}.values()
                for (node_id, job_version, impl_version), reason in database.declined.get(
                    job.job_name, {}
                ).items()
            ),
        )

    @store_call
    def mark_invalid(self, marks: Sequence[InvalidMark]) -> None:
        for mark in marks:
            _mark(self.database, mark)

    @store_call
    def decline(self, declined: Sequence[Declined]) -> None:
        for each in declined:
            _decline(self.database, each)

    @store_call
    def forget_declines(self, node_id: str) -> None:
        for job_name, declines in self.database.declined.items():
            for key in [key for key in declines if key[0] == node_id]:
                del declines[key]
                self.database.note(What.WILLING, job_name=job_name, note=node_id)


def _rows_of(database: MemoryDatabase, jobs: Iterable[str], impls: Iterable[str]) -> SpecRows:
    jobs, impls = frozenset(jobs), frozenset(impls)
    horizon = database.now() - database.on_time_window
    latest = max(
        max(database.job_changes.values(), default=0), max(database.impl_changes.values(), default=0)
    )
    return SpecRows(
        jobs,
        impls,
        tuple(row for name in sorted(jobs) for row in job_rows(database, name, horizon)),
        tuple(row for name in sorted(impls) for row in impl_rows(database, name, horizon)),
        tuple(row for name in sorted(jobs) for row in pause_rows(database, name, horizon)),
        horizon,
        str(database.rules.seen_until(latest, database.unfinished)),
    )


def job_rows(
    database: MemoryDatabase, name: str, since: datetime, until: datetime | None = None
) -> list[JobVersionRow]:
    """The versions not marked invalid that are in force at some instant from ``since`` (to ``until``),
    oldest first."""
    found: list[JobVersionRow] = []
    for version in reversed(database.job_versions.get(name, ())):
        if not database.rules.counts(version) or (until is not None and version.in_force_from > until):
            continue
        found.append(as_job_row(version))
        if version.in_force_from <= since:
            break
    return found[::-1]


def impl_rows(
    database: MemoryDatabase, name: str, since: datetime, until: datetime | None = None
) -> list[ImplVersionRow]:
    """The same of an ImplSpec."""
    found: list[ImplVersionRow] = []
    for version in reversed(database.impl_versions.get(name, ())):
        if not database.rules.counts(version) or (until is not None and version.in_force_from > until):
            continue
        found.append(as_impl_row(version))
        if version.in_force_from <= since:
            break
    return found[::-1]


def pause_rows(database: MemoryDatabase, name: str, since: datetime) -> list[PauseRow]:
    """The pauses that have not ended before ``since``."""
    return [
        PauseRow(each.job_name, each.since, each.until, each.reason)
        for each in database.pauses.get(name, ())
        if each.until is None or each.until > since
    ]


def as_job_row(version: JobVersion) -> JobVersionRow:
    return JobVersionRow(version.job_name, version.version, version.spec, version.in_force_from)


def as_impl_row(version: ImplVersion) -> ImplVersionRow:
    return ImplVersionRow(
        version.impl_name, version.version, version.impl, version.sources, version.in_force_from
    )


def _mark(database: MemoryDatabase, mark: InvalidMark) -> None:
    found: JobVersion | ImplVersion | None
    if mark.of_impl:
        found = database.impl_version_by_no.get(mark.version)
    else:
        found = database.job_version_by_no.get(mark.version)
    if found is None or found.problem is not None:
        return
    found.problem = mark.problem
    changes = database.impl_changes if mark.of_impl else database.job_changes
    changes[mark.name] = database.number("change")
    of = "impl" if mark.of_impl else "job"
    body = {"name": mark.name, "of": of, "version": mark.version, "problem": mark.problem}
    job_name = None if mark.of_impl else mark.name
    add_alert(database, f"invalid:{of}:{mark.version}", INVALID, body, job_name=job_name)
    database.note(What.MARKED_INVALID, job_name=mark.name, version=mark.version, note=of)


def _decline(database: MemoryDatabase, declined: Declined) -> None:
    declines = database.declined.setdefault(declined.job_name, {})
    job_version, impl_version = declined.versions or (0, 0)
    key = (declined.node_id, job_version, impl_version)
    if declined.reason is None:
        reason = declines.pop(key, None)
        if reason is not None:
            database.note(What.WILLING, job_name=declined.job_name, note=declined.node_id)
        if reason is not None and reason not in declines.values():
            database.alert_keys.pop(_decline_key(declined.job_name, impl_version, reason), None)
        return
    if key not in declines:
        database.note(What.DECLINED, job_name=declined.job_name, note=declined.node_id)
    declines[key] = declined.reason
    body = {"job_name": declined.job_name, "node_id": declined.node_id, "reason": declined.reason}
    event_key = _decline_key(declined.job_name, impl_version, declined.reason)
    add_alert(database, event_key, DECLINED, body, job_name=declined.job_name)


def _decline_key(job_name: str, impl_version: int, reason: str) -> str:
    return f"declined:{job_name}:{impl_version}:{reason}"
