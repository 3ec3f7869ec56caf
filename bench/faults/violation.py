"""What a judge finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """What does not hold. ``promise``: as the file in bench/faults/promises is named; ``run``: None where it is about
    no single one."""

    promise: str
    text: str
    run: int | None = None

    def __str__(self) -> str:
        about = "" if self.run is None else f"run {self.run} "
        return f"{self.promise}: {about}{self.text}"
