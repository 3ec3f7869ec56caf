"""Spec files against the database: check, apply, diff, export."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from shardkeeper.domain.built_in import BUILT_IN_NAMES, without_built_in
from shardkeeper.domain.errors import Refused
from shardkeeper.domain.specs import ImplSpec, JobSpec, Kind, SourceData
from shardkeeper.domain.specset import Change, Difference, ImplWithSources, SpecSet, differences
from shardkeeper.domain.validation import (
    module_allowed,
    read_impl_row,
    read_job_row,
    read_source_row,
    row_of,
)
from shardkeeper.node.operations.answer import Answer
from shardkeeper.ports.operator import OperatorStore, Row


@dataclass(frozen=True, slots=True)
class SpecFiles:
    """The adapter of spec files: ``load`` raises ShardkeeperError with all problems of all files."""

    load: Callable[[Iterable[Path]], SpecSet]
    dump: Callable[[SpecSet], str]


class SpecOperations:
    """``allowed_modules``: this machine's, to say early what its nodes would decline."""

    def __init__(self, store: OperatorStore, files: SpecFiles, allowed_modules: Sequence[str]) -> None:
        self._store = store
        self._files = files
        self._allowed = tuple(allowed_modules)

    def check(self, paths: Iterable[Path]) -> Answer[SpecSet]:
        """The specs in the files. Asks no server. Raises what loading raises."""
        specs = self._files.load(paths)
        return Answer(specs, (*self._outside(specs), *_impls_not_in(specs)))

    def apply(self, paths: Iterable[Path], by: str) -> Answer[Row]:
        """Write them, all or none: names under ``inserted``, ``updated``, ``unchanged``. Raises OrderRefused."""
        specs = self._files.load(paths)
        known = {row["name"] for row in self._store.impls()} | {entry.impl.name for entry in specs.impls}
        lost = [
            f"job {job.name}: impl_spec {job.impl_spec}" for job in specs.jobs if job.impl_spec not in known
        ]
        if lost:
            raise Refused(
                f"{'; '.join(lost)}: neither in these files nor in the database; add it, or mend the name"
            )
        impls = [
            row_of(entry.impl) | {"sources": [row_of(source) for source in entry.sources]}
            for entry in specs.impls
        ]
        answer = self._store.apply(impls, [row_of(job) for job in specs.jobs], by)
        return Answer(answer, self._outside(specs))

    def diff(self, paths: Iterable[Path], only_files: bool) -> Answer[list[Difference]]:
        """What applying the files would change; also what only the database has, unless ``only_files``. Every database
        has the built-in ImplSpecs: those are no difference."""
        want = self._files.load(paths)
        have = self._stored()
        named = {entry.impl.name for entry in want.impls}
        found = differences(without_built_in(have.value, named), want)
        if only_files:
            found = [
                one
                for one in found
                if one.change is not Change.REMOVED
                or (one.what == "source" and one.name.partition("/")[0] in named)
            ]
        return Answer(found, have.notes)

    def export(self, names: Sequence[str]) -> Answer[SpecSet]:
        """All specs of the database but the built-in ones, or the jobs named with their ImplSpecs. Raises Refused for
        unknown names."""
        read = self._stored()
        stored = Answer(without_built_in(read.value), read.notes)
        if not names:
            return stored
        jobs = tuple(job for job in stored.value.jobs if job.name in names)
        unknown = sorted(set(names) - {job.name for job in jobs})
        if unknown:
            raise Refused(f"there is no valid job {', '.join(unknown)}: `shardkeeper jobs` lists them")
        used = {job.impl_spec for job in jobs}
        impls = tuple(entry for entry in stored.value.impls if entry.impl.name in used)
        return Answer(SpecSet(impls, jobs), stored.notes)

    def dump(self, specs: SpecSet) -> str:
        """One YAML document that loads as the same specs."""
        return self._files.dump(specs)

    def _stored(self) -> Answer[SpecSet]:
        notes: list[str] = []
        impls: list[ImplWithSources] = []
        jobs: list[JobSpec] = []
        for row in self._store.impls():
            impl = read_impl_row(_columns(ImplSpec, row), None)
            sources = [read_source_row(_columns(SourceData, source), None) for source in row["sources"]]
            if impl.spec is None or impl.unknown:
                notes.append(f"impl {row['name']} is left out: this version cannot read it")
            else:
                kept = (source.spec for source in sources if source.spec is not None)
                impls.append(ImplWithSources(impl.spec, tuple(sorted(kept, key=lambda source: source.key))))
        for row in self._store.jobs():
            job = read_job_row(_columns(JobSpec, row), None)
            if job.spec is None or job.problems or job.unknown:
                notes.append(
                    f"job {row['name']} is left out: {row['problem'] or 'this version cannot read it'}"
                )
            else:
                jobs.append(job.spec)
        return Answer(SpecSet(tuple(impls), tuple(jobs)), tuple(notes))

    def _outside(self, specs: SpecSet) -> tuple[str, ...]:
        outside = (
            entry.impl
            for entry in specs.impls
            if entry.impl.kind is Kind.PYTHON and not module_allowed(entry.impl.entrypoint, self._allowed)
        )
        return tuple(
            f"impl {impl.name}: {impl.entrypoint} is outside tasks.allowed_modules here: a node here would decline"
            for impl in outside
        )


def _impls_not_in(specs: SpecSet) -> tuple[str, ...]:
    here = {entry.impl.name for entry in specs.impls} | BUILT_IN_NAMES
    return tuple(
        f"job {job.name}: impl_spec {job.impl_spec} is not in these files; the database must have it"
        for job in specs.jobs
        if job.impl_spec not in here
    )


def _columns(kind: type[Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The row's columns that are the spec's own."""
    return {field.name: row[field.name] for field in fields(kind) if field.name in row}
