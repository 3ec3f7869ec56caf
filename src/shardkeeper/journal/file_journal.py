"""The journal as a file of lines, each fsynced before ``append`` returns.

Settled outcomes stay in the file until most of it is settled; then it is rewritten without them, beside it and then in
its place, so that a crash at any point leaves either the old file or the new one. An outcome that is replayed though it
was settled is answered "repeated", so nothing hangs on when that happens. The journal is written only while PostgreSQL
is away, so it is small and mostly absent.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from shardkeeper.domain.errors import JournalFull
from shardkeeper.domain.outcomes import Outcome
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.journal.codec import decode, encode

Identity = tuple[AttemptKey, int]


class FileJournal:
    """``limit_bytes`` bounds the file; ``damaged`` is told of each line that cannot be read, and of a file that
    cannot be read or rewritten.

    One process writes it, from any of its threads; the folder is made where it is missing.
    """

    def __init__(
        self, path: Path, damaged: Callable[[str], None], limit_bytes: int = 256 * 1024 * 1024
    ) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._damaged = damaged
        self._lock = threading.Lock()
        self._lines: dict[Identity, tuple[str, str]] | None = None
        self._written = 0
        """Lines in the file, the settled ones too."""

    def append(self, incarnation: str, outcomes: Sequence[Outcome]) -> None:
        """See OutcomeJournal."""
        with self._lock:
            try:
                lines = self._load()
                fresh: dict[Identity, tuple[str, str]] = {}
                for outcome in outcomes:
                    if (outcome.key, outcome.claim_no) not in lines:
                        fresh[outcome.key, outcome.claim_no] = (incarnation, encode(incarnation, outcome))
                if fresh:
                    self._write("".join(line + "\n" for _, line in fresh.values()).encode())
                    self._written += len(fresh)
                    lines.update(fresh)
            except OSError as error:
                raise JournalFull(f"the journal {self._path} cannot be written: {error}") from error

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        """See OutcomeJournal."""
        with self._lock:
            lines = self._lines
            if not lines:
                return
            for outcome in outcomes:
                lines.pop((outcome.key, outcome.claim_no), None)
            try:
                self._shrink(lines)
            except OSError as error:
                self._damaged(f"the journal {self._path} cannot be emptied of what was recorded: {error}")

    def unsettled(self) -> list[tuple[str, Outcome]]:
        """See OutcomeJournal."""
        with self._lock:
            try:
                return [decode(line) for _, line in self._load().values()]
            except OSError as error:
                self._damaged(f"the journal {self._path} cannot be read, and is not replayed: {error}")
                return []

    def _write(self, data: bytes) -> None:
        """Add to the end, whole or not at all. Raises OSError and JournalFull."""
        with self._path.open("a+b", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            if before and os.pread(file.fileno(), 1, before - 1) != b"\n":
                data = b"\n" + data
            if before + len(data) > self._limit_bytes:
                raise JournalFull
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    file.truncate(before)
                raise

    def _shrink(self, lines: dict[Identity, tuple[str, str]]) -> None:
        if not lines:
            self._path.unlink(missing_ok=True)
        elif 2 * len(lines) <= self._written:
            beside = self._path.with_suffix(".new")
            with beside.open("w", encoding="utf-8") as file:
                file.writelines(line + "\n" for _, line in lines.values())
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        else:
            return
        self._written = len(lines)

    def _load(self) -> dict[Identity, tuple[str, str]]:
        """Raises OSError; then it is tried again the next time."""
        if self._lines is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            text = self._path.read_text(encoding="utf-8", errors="replace") if self._path.exists() else ""
            lines: dict[Identity, tuple[str, str]] = {}
            found = text.splitlines()
            for line in found:
                self._read(line, lines)
            self._lines, self._written = lines, len(found)
        return self._lines

    def _read(self, line: str, lines: dict[Identity, tuple[str, str]]) -> None:
        if not line:
            return
        try:
            incarnation, outcome = decode(line)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._damaged(f"a line of the journal {self._path} cannot be read and is left out: {error}")
            return
        lines[outcome.key, outcome.claim_no] = (incarnation, line)
