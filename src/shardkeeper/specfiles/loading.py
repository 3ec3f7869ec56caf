"""Spec files into specs, with all problems of all files at once.

A file holds any number of YAML documents, each with `impls:` (a list, each entry with its `sources:`) and `jobs:`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from shardkeeper.domain.errors import ShardkeeperError
from shardkeeper.domain.problems import Problem, problem
from shardkeeper.domain.specs import JobSpec, SourceData
from shardkeeper.domain.specset import ImplWithSources, SpecSet
from shardkeeper.domain.validation import Limits, Reading, read_impl_row, read_job_row, read_source_row
from shardkeeper.specfiles.schema import schema_problems
from shardkeeper.specfiles.yaml_reading import Path, YamlDocument, YamlInvalid, read_documents

MAX_FILE_BYTES = 20_000_000
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A problem and where it is: file, line (from 1), and the spec it is in, such as `job price-index`."""

    file: str
    line: int
    spec: str
    problem: Problem

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {f'{self.spec}: ' if self.spec else ''}{self.problem}"


class SpecFilesInvalid(ShardkeeperError):
    """The spec files are not valid."""

    def __init__(self, problems: Sequence[FileProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)) or None)


def load_spec_files(paths: Iterable[FilePath], limits: Limits = Limits()) -> SpecSet:  # noqa: B008 - frozen
    """The specs in files, and in the `.yaml` and `.yml` files of folders. Raises SpecFilesInvalid."""
    texts: dict[str, str] = {}
    unreadable: list[FileProblem] = []
    for path in _files(paths):
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ValueError(f"more than {MAX_FILE_BYTES} bytes")
            texts[str(path)] = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            wrong = problem(
                "file", "", f"cannot be read: {error}", "check its name, rights, size and encoding"
            )
            unreadable.append(FileProblem(str(path), 1, "", wrong))
    return _load(texts, limits, unreadable)


def load_spec_texts(texts: Mapping[str, str], limits: Limits = Limits()) -> SpecSet:  # noqa: B008 - frozen
    """The specs in texts by file name. Raises SpecFilesInvalid with all problems."""
    return _load(texts, limits, [])


def _files(paths: Iterable[FilePath]) -> Iterator[FilePath]:
    for path in paths:
        if path.is_dir():
            yield from sorted(found for found in path.iterdir() if found.suffix in SUFFIXES)
        else:
            yield path


def _load(texts: Mapping[str, str], limits: Limits, problems: list[FileProblem]) -> SpecSet:
    impls: dict[str, ImplWithSources] = {}
    jobs: dict[str, JobSpec] = {}
    names: set[tuple[str, str]] = set()
    for file, text in texts.items():
        try:
            for document in read_documents(text):
                reader = _DocumentReader(file, document, limits, problems, names)
                reader.read(impls, jobs)
        except YamlInvalid as wrong:
            problems.append(FileProblem(file, wrong.line, "", problem("file", "", wrong.reason, wrong.mend)))
    if problems:
        raise SpecFilesInvalid(sorted(problems, key=lambda found: (found.file, found.line)))
    return SpecSet(tuple(impls.values()), tuple(jobs.values()))


@dataclass(slots=True)
class _DocumentReader:
    """Reads one document; problems go to the common list."""

    file: str
    document: YamlDocument
    limits: Limits
    problems: list[FileProblem]
    names: set[tuple[str, str]]

    def read(self, impls: dict[str, ImplWithSources], jobs: dict[str, JobSpec]) -> None:
        """Add the document's specs to those of other documents."""
        if self.document.value is None:
            return
        told: set[tuple[Path, str]] = set()
        for index, row in self._entries("impls"):
            entry = self._impl(("impls", index), row, told)
            if self._is_new(("impls", index), "impl", row.get("name")) and entry is not None:
                impls[entry.impl.name] = entry
        for index, row in self._entries("jobs"):
            job = self._spec(("jobs", index), f"job {row.get('name')}", read_job_row(row, self.limits), told)
            if self._is_new(("jobs", index), "job", row.get("name")) and job is not None:
                jobs[job.name] = job
        for path, field, found in schema_problems(self.document.value):
            if (path, field) not in told:
                self._tell(path, field, self._title(path), found)

    def _entries(self, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
        entries = self.document.value.get(key) if isinstance(self.document.value, dict) else None
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict):
                yield index, entry

    def _impl(self, path: Path, row: dict[str, Any], told: set[tuple[Path, str]]) -> ImplWithSources | None:
        columns = {column: value for column, value in row.items() if column != "sources"}
        title = f"impl {row.get('name')}"
        impl = self._spec(path, title, read_impl_row(columns, self.limits), told)
        rows = row.get("sources")
        sources: dict[str, SourceData] = {}
        for index, source_row in enumerate(rows if isinstance(rows, list) else []):
            if isinstance(source_row, dict):
                where = (*path, "sources", index)
                source = self._spec(where, f"{title} source", read_source_row(source_row, self.limits), told)
                name = f"{row.get('name')}/{source_row.get('key')}"
                if self._is_new(where, "source", name) and source is not None:
                    sources[source.key] = source
        return None if impl is None else ImplWithSources(impl, tuple(sources[key] for key in sorted(sources)))

    def _spec(
        self, path: Path, title: str, reading: Reading[Any], told: set[tuple[Path, str]]
    ) -> Any:  # JobSpec, ImplSpec or SourceData, as the reading is
        for found in reading.problems:
            column = found.field.split(".")[0]
            told.add((path, column))
            self._tell(path, column, title, found)
        return None if reading.problems or reading.unknown else reading.spec

    def _is_new(self, path: Path, what: str, name: object) -> bool:
        if (what, str(name)) not in self.names:
            self.names.add((what, str(name)))
            return True
        key = "key" if what == "source" else "name"
        found = problem(key, name, f"another {what} has this {key}", f"give each {what} a {key} of its own")
        self._tell(path, key, f"{what} {name}", found)
        return False

    def _title(self, path: Path) -> str:
        part = self.document.value
        for step in path[:2]:
            part = part[step]
        return (
            f"{str(path[0])[:-1]} {part.get('name', path[1])}"
            if len(path) > 1 and isinstance(part, dict)
            else ""
        )

    def _tell(self, path: Path, field: str, title: str, found: Problem) -> None:
        self.problems.append(FileProblem(self.file, self.document.line_of((*path, field)), title, found))
