"""What is wrong with a job's `alert` mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shardkeeper.domain.problems import Problem, problem
from shardkeeper.domain.validation.limits import MAX_ENTRYPOINT, MAX_SHORT_TEXT
from shardkeeper.domain.validation.shapes import Wrong, wrong_text, wrong_url

EVENTS = ("failed", "missed", "late", "recovered")
KEYS = ("on", "channel", "mention", "after", "runbook_url")
MOST_IN_A_ROW = 1000


def alert_problems(alert: Mapping[str, Any]) -> Iterator[Problem]:
    """Unknown keys, and values that are not what their key asks for."""
    for key, value in alert.items():
        if key not in KEYS:
            yield problem("alert", key, "is not a key of alert", f"write one of {', '.join(KEYS)}")
        elif wrong := _wrong(key, value):
            yield problem(f"alert.{key}", value, *wrong)


def _wrong(key: str, value: Any) -> Wrong:
    if key == "on":
        if not isinstance(value, list | tuple) or any(event not in EVENTS for event in value):
            return (f"is not a list of {', '.join(EVENTS)}", 'write for example ["failed", "late"]')
        return None
    if key == "after":
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_IN_A_ROW:
            return (
                f"is not a whole number from 1 to {MOST_IN_A_ROW}",
                "write how many failures in a row, such as 1",
            )
        return None
    if key == "runbook_url":
        return wrong_url(value, MAX_ENTRYPOINT)
    if not isinstance(value, str) or not value:
        return ("is not text", "write it in quotes")
    return wrong_text(value, MAX_SHORT_TEXT)
