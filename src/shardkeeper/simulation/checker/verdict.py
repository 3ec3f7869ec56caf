"""What a checker finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Broken:
    """``promise`` as the checker's file is named; ``about``: a word to look for in the trace."""

    promise: str
    what: str
    about: str | None = None

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"
