"""What is promised, judged on the whole history: one file per promise."""

from __future__ import annotations
