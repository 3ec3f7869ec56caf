"""Messages to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shardkeeper.domain.notices import Notice

__all__ = ["Notice", "Notifier", "Posted"]


@dataclass(frozen=True, slots=True)
class Posted:
    """``ok``; else again after ``retry_after_s``, or never by itself where that is None (``reason``: invalid_auth ...).

    ``message_id`` names the message, so that a recovery can answer in its thread; None where the service gives none.
    """

    ok: bool
    message_id: str | None = None
    retry_after_s: float | None = None
    reason: str | None = None


class Notifier(Protocol):
    def post(self, notice: Notice) -> Posted:
        """Blocks for a bounded time and never raises: each refusal, hang or odd answer becomes a Posted."""
