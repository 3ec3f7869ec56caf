"""The journal keeps what PostgreSQL has not answered for, through restarts and damage."""

from __future__ import annotations

import errno
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shardkeeper.domain.errors import JournalFull
from shardkeeper.domain.outcomes import Outcome, ValueRow
from shardkeeper.domain.runs import AttemptKey, AttemptStatus, Phase
from shardkeeper.journal.file_journal import FileJournal

FIRE = datetime(2026, 11, 21, 3, 0, 0, 250, tzinfo=UTC)


def outcome(item: int = 0, claim_no: int = 1) -> Outcome:
    return Outcome(
        AttemptKey(7, FIRE, item, 2),
        claim_no,
        AttemptStatus.COMPLETED,
        phase=Phase.VALIDATE,
        started_at=FIRE,
        finished_at=FIRE,
        calculate_ms=1.5,
        result={"text": "söme\nlines", "list": [1, None]},
        values=(ValueRow("a", {"x": 1}, 2.0),),
        log="line\nline",
        retry_after_s=3.0,
    )


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outcomes.jsonl"


def test_an_outcome_comes_back_whole_after_a_restart(path: Path, told: list[str]) -> None:
    FileJournal(path, told.append).append("inc-1", [outcome()])
    assert FileJournal(path, told.append).unsettled() == [("inc-1", outcome())]
    assert told == []


def test_what_is_settled_is_gone_and_the_rest_stays_in_order(path: Path, told: list[str]) -> None:
    journal = FileJournal(path, told.append)
    journal.append("inc-1", [outcome(0), outcome(1), outcome(2), outcome(3)])
    journal.settled([outcome(1), outcome(2)])
    assert [one.key.item for _, one in journal.unsettled()] == [0, 3]
    assert [one.key.item for _, one in FileJournal(path, told.append).unsettled()] == [0, 3]


def test_another_claim_of_the_same_attempt_is_another_outcome(path: Path, told: list[str]) -> None:
    journal = FileJournal(path, told.append)
    journal.append("inc-1", [outcome(0, claim_no=1), outcome(0, claim_no=2)])
    journal.settled([outcome(0, claim_no=1)])
    assert [one.claim_no for _, one in journal.unsettled()] == [2]


def test_an_empty_journal_leaves_no_file(path: Path, told: list[str]) -> None:
    journal = FileJournal(path, told.append)
    journal.append("inc-1", [outcome()])
    journal.settled([outcome()])
    assert not path.exists()


def test_a_half_written_line_is_told_and_costs_no_other(path: Path, told: list[str]) -> None:
    FileJournal(path, told.append).append("inc-1", [outcome(0)])
    with path.open("a") as file:
        file.write('{"incarnation": "inc-1", "outco')
    assert [one.key.item for _, one in FileJournal(path, told.append).unsettled()] == [0]
    assert len(told) == 1
    assert "cannot be read" in told[0]


def test_a_full_journal_says_so(path: Path, told: list[str]) -> None:
    journal = FileJournal(path, told.append, limit_bytes=10)
    with pytest.raises(JournalFull, match="full"):
        journal.append("inc-1", [outcome()])


def test_an_outcome_that_lies_there_is_not_written_again(path: Path, told: list[str]) -> None:
    journal = FileJournal(path, told.append)
    journal.append("inc-1", [outcome()])
    size = path.stat().st_size
    journal.append("inc-1", [outcome()])
    assert path.stat().st_size == size


def test_outcomes_of_one_call_are_made_durable_together(
    path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    FileJournal(path, told.append).append("inc-1", [outcome(item) for item in range(100)])
    assert len(synced) == 1


def test_the_file_is_rewritten_when_most_of_it_is_settled_and_not_each_time(
    path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = FileJournal(path, told.append)
    journal.append("inc-1", [outcome(item) for item in range(64)])
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    for item in range(64):
        journal.settled([outcome(item)])
    assert len(synced) == 6
    assert not path.exists()


def test_a_half_written_line_does_not_swallow_the_next(path: Path, told: list[str]) -> None:
    FileJournal(path, told.append).append("inc-1", [outcome(0)])
    with path.open("a") as file:
        file.write('{"incarnation": "inc-1", "outco')
    FileJournal(path, told.append).append("inc-2", [outcome(1)])
    assert [one.key.item for _, one in FileJournal(path, told.append).unsettled()] == [0, 1]


def test_a_write_that_fails_leaves_no_trace_and_is_made_again(
    path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = FileJournal(path, told.append)
    journal.append("inc-1", [outcome(0)])
    before = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", _no_space)
        with pytest.raises(JournalFull, match="No space left"):
            journal.append("inc-1", [outcome(1)])
    assert path.read_bytes() == before
    journal.append("inc-1", [outcome(1)])
    assert [one.key.item for _, one in FileJournal(path, told.append).unsettled()] == [0, 1]


def test_a_folder_that_cannot_be_made_is_a_full_journal_and_a_told_one(
    tmp_path: Path, told: list[str]
) -> None:
    (tmp_path / "state").write_text("a file")
    journal = FileJournal(tmp_path / "state" / "outcomes.jsonl", told.append)
    with pytest.raises(JournalFull, match="cannot be written"):
        journal.append("inc-1", [outcome()])
    assert journal.unsettled() == []
    assert "cannot be read" in told[0]


def test_a_file_that_cannot_be_emptied_is_told_and_harms_nothing(
    path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = FileJournal(path, told.append)
    journal.append("inc-1", [outcome(0), outcome(1)])
    monkeypatch.setattr("os.fsync", _no_space)
    journal.settled([outcome(0)])
    assert "cannot be emptied" in told[0]
    assert [one.key.item for _, one in journal.unsettled()] == [1]


def _no_space(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
