"""The journal as a file of lines, each fsynced before ``append`` returns.

Settled outcomes are struck out by rewriting the file without them, beside it and then in its place, so that a crash
at any point leaves either the old file or the new one. The journal is written only while PostgreSQL is away, so it is
small and mostly absent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from shardkeeper.domain.errors import JournalFull
from shardkeeper.domain.outcomes import Outcome
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.journal.codec import decode, encode

Identity = tuple[AttemptKey, int]


class FileJournal:
    """``limit_bytes`` bounds the file; ``damaged`` is told of each line that cannot be read.

    One process writes it, from one thread; the folder is made where it is missing.
    """

    def __init__(
        self, path: Path, damaged: Callable[[str], None], limit_bytes: int = 256 * 1024 * 1024
    ) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._damaged = damaged
        self._lines: dict[Identity, tuple[str, str]] | None = None

    def append(self, incarnation: str, outcomes: Sequence[Outcome]) -> None:
        """See OutcomeJournal."""
        lines = self._load()
        text = ""
        for outcome in outcomes:
            line = encode(incarnation, outcome)
            lines[outcome.key, outcome.claim_no] = (incarnation, line)
            text += line + "\n"
        if self._size() + len(text) > self._limit_bytes:
            raise JournalFull
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise JournalFull(f"the journal {self._path} cannot be written: {error}") from error

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        """See OutcomeJournal."""
        lines = self._load()
        before = len(lines)
        for outcome in outcomes:
            lines.pop((outcome.key, outcome.claim_no), None)
        if len(lines) == before:
            return
        if not lines:
            self._path.unlink(missing_ok=True)
            return
        beside = self._path.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            file.writelines(line + "\n" for _, line in lines.values())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)

    def unsettled(self) -> list[tuple[str, Outcome]]:
        """See OutcomeJournal."""
        return [decode(line) for _, line in self._load().values()]

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _load(self) -> dict[Identity, tuple[str, str]]:
        if self._lines is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lines = {}
            text = self._path.read_text(encoding="utf-8", errors="replace") if self._path.exists() else ""
            for line in text.splitlines():
                self._read(line, self._lines)
        return self._lines

    def _read(self, line: str, lines: dict[Identity, tuple[str, str]]) -> None:
        try:
            incarnation, outcome = decode(line)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._damaged(f"a line of the journal {self._path} cannot be read and is left out: {error}")
            return
        lines[outcome.key, outcome.claim_no] = (incarnation, line)
