"""Messages to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """``text`` is the first line and the fallback; ``blocks`` the whole as Slack's blocks; ``thread``
    answers in a thread."""

    channel: str | None
    text: str
    blocks: tuple[Mapping[str, Any], ...] = ()
    thread: str | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """``ok``; else again after ``retry_after_s``, or never by itself where that is None (``reason``:
    invalid_auth ...)."""

    ok: bool
    message_id: str | None = None
    retry_after_s: float | None = None
    reason: str | None = None


class Notifier(Protocol):
    def post(self, message: Message) -> Posted:
        """Blocks for a bounded time and never raises: each refusal, hang or odd answer becomes a Posted."""
