"""What tasks and tests tell one another through files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.waiting import wait_until

PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Gate:
    """Tasks given ``path`` as the parameter ``until`` hold until it is opened."""

    path: Path

    def open(self) -> None:
        self.path.touch()


@dataclass(frozen=True, slots=True)
class WitnessFile:
    """One JSON object a line; tasks append, tests read."""

    path: Path

    def lines(self, **wanted: Any) -> list[dict[str, Any]]:
        """What was told so far, oldest first; ``wanted``: only lines with these values."""
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return []
        # a line that is being written has no end yet
        told = [json.loads(line) for line in text.split("\n")[:-1]]
        return [one for one in told if all(one.get(key) == value for key, value in wanted.items())]

    def wait_for(self, count: int, **wanted: Any) -> list[dict[str, Any]]:
        """Such lines, once there are that many."""

        def told() -> list[dict[str, Any]]:
            lines = self.lines(**wanted)
            return lines if len(lines) >= count else []

        return wait_until(told, PATIENCE_S, f"{count} lines of {wanted}")
