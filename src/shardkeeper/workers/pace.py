"""How long attempts of an entrypoint take: those that take next to no time are given to workers several at once."""

from __future__ import annotations

_SHORT_S = 0.001
_AHEAD_S, _MOST_AHEAD = 0.004, 128
"""A worker may hold orders for so long beyond what it runs, and no more than so many."""
_LONGEST_S = 0.004
"""Whatever takes longer counts as this: one hiccup of the machine makes no short task a long one, two do."""
_SLOWER_WEIGHT, _QUICKER_WEIGHT = 0.2, 0.1
_MOST = 10_000


class Pace:
    """By entrypoint, what was usual lately: quickly up and slowly down."""

    def __init__(self) -> None:
        self._usual_s: dict[str, float] = {}

    def lasted(self, entrypoint: str, seconds: float) -> None:
        """An attempt took so long, or takes so long already."""
        usual_s = self._usual_s.get(entrypoint)
        seconds = min(seconds, _LONGEST_S)
        if usual_s is None:
            if len(self._usual_s) >= _MOST:
                self._usual_s.clear()
            self._usual_s[entrypoint] = seconds
        else:
            weight = _SLOWER_WEIGHT if seconds > usual_s else _QUICKER_WEIGHT
            self._usual_s[entrypoint] = usual_s + weight * (seconds - usual_s)

    def is_short(self, entrypoint: str) -> bool:
        """Whether the next one is likely to be over at once. Unknown ones are not."""
        return self._usual_s.get(entrypoint, _LONGEST_S) <= _SHORT_S

    def ahead(self, entrypoint: str) -> int:
        """How many of them may lie behind the one that a worker runs."""
        usual_s = self._usual_s.get(entrypoint, _LONGEST_S)
        return min(_MOST_AHEAD, int(_AHEAD_S / max(usual_s, 1e-6))) if usual_s <= _SHORT_S else 0
