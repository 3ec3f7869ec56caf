"""What people are told: one notice per event, in the words and the order of the contract.

A notice is plain text in parts. How it is escaped, masked and laid out is the business of the adapter that sends it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_ERROR = 1_500
"""Characters of an error that are shown; the whole stands with the attempt."""
NAMED_IN_DIGEST = 10


@dataclass(frozen=True, slots=True)
class Notice:
    """``title`` is the first line, and all that a plain client shows. ``facts`` are (label, text) in order."""

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    error: str | None = None
    mention: str | None = None
    channel: str | None = None
    thread: str | None = None
    """The message that this one answers (a recovery)."""
    hint: str | None = None
    """A command that helps."""


def notice_of(
    kind: str,
    body: Mapping[str, Any],
    environment: str,
    channel: str | None = None,
    thread: str | None = None,
) -> Notice:
    """The notice of one alert row: its kind, its body (see ports.duties.AlertRow), the environment's name."""
    title = f"[{environment}] {_headline(kind, body)}"
    return Notice(
        title,
        _facts(body),
        error=_error(body),
        mention=body.get("mention"),
        channel=channel,
        thread=thread,
        hint=_hint(kind, body),
    )


def digest_of(
    alerts: Sequence[tuple[str, Mapping[str, Any]]], environment: str, channel: str | None = None
) -> Notice:
    """One notice in place of many: exact counts by kind and by job, most first."""
    kinds = Counter(kind for kind, _ in alerts)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    jobs = Counter(str(body.get("job_name") or body.get("node_id") or kind) for kind, body in alerts)
    named = jobs.most_common(NAMED_IN_DIGEST)
    facts = [(job, str(count)) for job, count in named]
    rest = sum(jobs.values()) - sum(count for _, count in named)
    if rest:
        facts.append((f"{len(jobs) - len(named)} other jobs", str(rest)))
    return Notice(
        f"[{environment}] {len(alerts)} {'alert' if len(alerts) == 1 else 'alerts'}: {counts}",
        tuple(facts),
        channel=channel,
        hint="shardkeeper alerts",
    )


def _headline(kind: str, body: Mapping[str, Any]) -> str:
    subject = str(body.get("job_name") or body.get("name") or body.get("node_id") or "shardkeeper")
    match kind:
        case "failed":
            where = f" in {body['phase']}" if body.get("phase") else ""
            word = body.get("status", "FAILED")
            return f"{subject} {body.get('failed_items', 1)}/{body.get('items', 1)} items {word}{where}"
        case "recovered":
            return f"{subject} recovered"
        case "missed":
            count = body.get("missed_count", 1)
            return f"{subject} MISSED {count} {'fire' if count == 1 else 'fires'}"
        case "late":
            limit = body.get("which", "late_after")
            return f"{subject} {'has not finished in time' if limit == 'finish_within' else 'started late'}"
        case "invalid":
            of = "ImplSpec " if body.get("of") == "impl" else ""
            return f"{of}{subject} version {body.get('version', '?')} is invalid; the last valid version stays in force"
        case "declined":
            return f"{subject} cannot run on {body.get('node_id', 'a node')}"
        case "unfit":
            return f"{body.get('node_id', 'a node')} takes no work: its workers cannot be kept alive"
        case "sweep_left":
            return f"{subject} is for a newer version: the node that should sweep leaves that to others"
        case _:
            return f"{subject} {kind.replace('_', ' ')}"


_LABELS = (
    ("fire_time", "fire time"),
    ("fire_until", "to"),
    ("reason", "reason"),
    ("problem", "problem"),
    ("item", "item"),
    ("node_id", "node"),
    ("attempt", "attempt"),
    ("skew_s", "clock skew, seconds"),
    ("limit_s", "limit, seconds"),
    ("failures_in_a_row", "failures in a row"),
    ("last_success", "last success"),
    ("owner", "owner"),
    ("runbook_url", "runbook"),
)


def _facts(body: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for key, label in _LABELS:
        value = body.get(key)
        if value is None:
            continue
        if key == "item" and body.get("item_parameter") is not None:
            value = f"{value} ({body['item_parameter']})"
        found.append((label, str(value)))
    return tuple(found)


def _error(body: Mapping[str, Any]) -> str | None:
    parts = [str(body[key]) for key in ("error_type", "error_message") if body.get(key)]
    text = ": ".join(parts)
    if not text:
        return None
    return text if len(text) <= LONGEST_ERROR else f"{text[:LONGEST_ERROR]}… ({len(text)} characters)"


def _hint(kind: str, body: Mapping[str, Any]) -> str | None:
    if kind == "failed" and body.get("run_id") is not None:
        return f"shardkeeper rerun {body['run_id']}"
    if kind in ("missed", "late", "invalid", "declined") and body.get("job_name"):
        return f"shardkeeper job {body['job_name']}"
    return None
