"""The journal keeps what PostgreSQL has not answered for, through restarts and damage."""

from __future__ import annotations

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
    journal.append("inc-1", [outcome(0), outcome(1), outcome(2)])
    journal.settled([outcome(1)])
    assert [one.key.item for _, one in FileJournal(path, told.append).unsettled()] == [0, 2]


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
