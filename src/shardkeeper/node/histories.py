"""From rows of the store to histories: parsing and validating each version once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from shardkeeper.domain.catalog import ImplHistory, ImplInForce, JobHistory
from shardkeeper.domain.errors import SpecInvalid, UnknownSpec
from shardkeeper.domain.planner.events import PinnedRead
from shardkeeper.domain.specs import ImplSpec, ImplVersion, JobVersion, Pause, SourceData
from shardkeeper.domain.validation import Limits, parse_impl_row, parse_job_row, parse_source_row
from shardkeeper.ports.specs import ImplVersionRow, InvalidMark, JobVersionRow, PauseRow, SpecRows

R = TypeVar("R")


@dataclass(slots=True)
class Reading:
    """What rows came to. ``unknown`` and ``unknown_impls``: jobs and ImplSpecs that this version of Shardkeeper does
    not understand, with the reason.
    """

    jobs: dict[str, JobHistory] = field(default_factory=dict)
    impls: dict[str, ImplHistory] = field(default_factory=dict)
    invalid: list[InvalidMark] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    unknown_impls: dict[str, str] = field(default_factory=dict)


class HistoryReader:
    """``limits``: what a spec may ask for."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def read(self, rows: SpecRows) -> Reading:
        """Histories of every name that the rows are complete for."""
        reading = Reading()
        pauses = _pauses(rows.pauses)
        jobs = _by_name(rows.jobs, lambda row: row.job_name)
        for name in sorted(rows.jobs_named):
            versions = self._job_versions(jobs.get(name, []), reading)
            reading.jobs[name] = JobHistory(versions, pauses.get(name, ()))
        impls = _by_name(rows.impls, lambda row: row.impl_name)
        for name in sorted(rows.impls_named):
            reading.impls[name] = ImplHistory(self._impl_versions(impls.get(name, []), reading))
        return reading

    def read_pinned(
        self, rows: SpecRows, job_versions: Iterable[int], impl_versions: Iterable[int]
    ) -> PinnedRead:
        """Versions by number; those that are missing or not understood here, with the reason.

        What was valid once is not judged again: attempts run under the version that their run pins.
        """
        jobs: list[JobVersion] = []
        impls: list[ImplVersion] = []
        missing = dict.fromkeys((*job_versions, *impl_versions), "the store has no such version")
        for row in rows.jobs:
            try:
                spec = parse_job_row(row.spec or {}, None)
                jobs.append(JobVersion(spec, row.version, row.in_force_from))
                missing.pop(row.version, None)
            except (SpecInvalid, UnknownSpec) as error:
                missing[row.version] = str(error)
        for impl_row in rows.impls:
            try:
                impls.append(ImplVersion(*_impl(impl_row, None), impl_row.version))
                missing.pop(impl_row.version, None)
            except (SpecInvalid, UnknownSpec) as error:
                missing[impl_row.version] = str(error)
        declined: dict[str, set[tuple[int, int, str]]] = {}
        for each in rows.declined:
            declined.setdefault(each.job_name, set()).add((*(each.versions or (0, 0)), each.node_id))
        who = {name: frozenset(nodes) for name, nodes in declined.items()}
        return PinnedRead(tuple(jobs), tuple(impls), missing, who)

    def _job_versions(self, rows: list[JobVersionRow], reading: Reading) -> tuple[JobVersion, ...]:
        """Each valid version with its interval: up to the next valid one, or the deletion."""
        found: list[JobVersion] = []
        until: datetime | None = None
        for row in reversed(rows):
            if row.spec is None:
                until = row.in_force_from
                continue
            try:
                spec = parse_job_row(row.spec, self._limits)
            except SpecInvalid as error:
                reading.invalid.append(InvalidMark(row.job_name, row.version, str(error)))
                continue
            except UnknownSpec as error:
                # perhaps right for a newer node: not invalid, not run here, and no older version in its place
                reading.unknown[row.job_name] = str(error)
                until = row.in_force_from
                continue
            found.append(JobVersion(spec, row.version, row.in_force_from, until))
            until = row.in_force_from
        return tuple(reversed(found))

    def _impl_versions(self, rows: list[ImplVersionRow], reading: Reading) -> tuple[ImplInForce, ...]:
        found: list[ImplInForce] = []
        until: datetime | None = None
        for row in reversed(rows):
            if row.impl is not None:
                try:
                    impl, sources = _impl(row, self._limits)
                except SpecInvalid as error:
                    mark = InvalidMark(row.impl_name, row.version, str(error), of_impl=True)
                    reading.invalid.append(mark)
                    continue
                except UnknownSpec as error:
                    reading.unknown_impls[row.impl_name] = str(error)
                    until = row.in_force_from
                    continue
                found.append(ImplInForce(row.in_force_from, until, ImplVersion(impl, sources, row.version)))
            until = row.in_force_from
        return tuple(reversed(found))


def _impl(row: ImplVersionRow, limits: Limits | None) -> tuple[ImplSpec, tuple[SourceData, ...]]:
    sources = (parse_source_row(source, limits) for source in row.sources)
    return parse_impl_row(row.impl or {}, limits), tuple(sorted(sources, key=lambda source: source.key))


def _pauses(rows: Iterable[PauseRow]) -> dict[str, tuple[Pause, ...]]:
    found: dict[str, tuple[Pause, ...]] = {}
    for row in rows:
        pause = Pause(row.job_name, row.since, row.until, row.reason)
        found[row.job_name] = (*found.get(row.job_name, ()), pause)
    return found


def _by_name(rows: Iterable[R], name: Callable[[R], str]) -> dict[str, list[R]]:
    found: dict[str, list[R]] = {}
    for row in rows:
        found.setdefault(name(row), []).append(row)
    return found
