"""Floor 4: the command line."""

from __future__ import annotations
