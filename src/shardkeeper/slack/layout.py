"""A notice as Slack's blocks; the first line is also the fallback text of phones and notifications."""

from __future__ import annotations

from typing import Any

from shardkeeper.domain.notices import Notice
from shardkeeper.slack.text import LONGEST_ERROR, LONGEST_FIELD, LONGEST_TITLE, code, mention, plain

FIELDS_PER_SECTION = 10
"""Slack's own limit."""


def text_of(notice: Notice, secrets: tuple[str, ...] = ()) -> str:
    """The first line."""
    return plain(notice.title, LONGEST_TITLE, secrets)


def blocks_of(notice: Notice, secrets: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The whole message."""
    who = mention(notice.mention)
    first = f"*{text_of(notice, secrets)}*" + (f" {who}" if who else "")
    blocks = [_section(first)]
    fields = [f"*{plain(label, 100)}*\n{plain(text, LONGEST_FIELD, secrets)}" for label, text in notice.facts]
    for start in range(0, len(fields), FIELDS_PER_SECTION):
        part = fields[start : start + FIELDS_PER_SECTION]
        blocks.append({"type": "section", "fields": [{"type": "mrkdwn", "text": text} for text in part]})
    if notice.error:
        blocks.append(_section(code(notice.error, LONGEST_ERROR, secrets)))
    if notice.hint:
        elements = [{"type": "mrkdwn", "text": f"`{plain(notice.hint, LONGEST_FIELD, secrets)}`"}]
        blocks.append({"type": "context", "elements": elements})
    return blocks


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}
