"""Floor 3: one node's mailbox, loop, effects and life cycle; `compose.py` alone names adapters."""

from __future__ import annotations
