"""What happened, in order and briefly: for the reader of a failing seed, and for comparing two runs of one."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from shardkeeper.memory.clock import VirtualClock

LONGEST = 230
"""Characters of one line."""


class Line(NamedTuple):
    mono: float
    who: str
    what: object


class Trace:
    """Append-only."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.lines: list[Line] = []

    def add(self, who: str, what: object) -> None:
        """``who``: a node, the nemesis, people; ``what`` is shown as it stands."""
        self.lines.append(Line(self._clock.monotonic(), who, what))

    def text(self, about: str | None = None, last: int = 60) -> list[str]:
        """The last lines, for people; ``about``: only those in which this word stands, and all faults."""
        chosen: list[str] = []
        for line in reversed(self.lines):
            text = shown(line)
            if about is None or about in text or line.who in ("nemesis", "people"):
                chosen.append(text)
            if len(chosen) == last:
                break
        return chosen[::-1]

    def digest(self) -> str:
        """The same for two runs if and only if everything happened alike."""
        state = blake2b(digest_size=16)
        for line in self.lines:
            state.update(f"{line.mono:.6f} {line.who} {line.what!r}\n".encode())
        return state.hexdigest()


def shown(line: Line) -> str:
    """One line for people."""
    what = line.what if isinstance(line.what, str) else repr(line.what)
    text = f"{line.mono:9.4f}  {line.who:<8} {what.replace('datetime.datetime', '')}"
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
