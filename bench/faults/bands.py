"""When something was broken: what the nemeses tell, and what the judge goes by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Band:
    """One fault. Times: seconds since the epoch by this machine's clock.

    ``kind``: e.g. "node killed", "PostgreSQL away"; ``target``: the node's or server's name, "" for all; ``healed``:
    when what was broken worked again as far as the nemesis can tell (link mended, process started, server answering).
    """

    kind: str
    target: str
    began: float
    healed: float

    @property
    def length_s(self) -> float:
        """How long it was broken, in seconds."""
        return self.healed - self.began
