"""What was broken at an instant, by the bands of the nemeses."""

from __future__ import annotations

from collections.abc import Iterator

from bench.faults.bands import Band
from bench.faults.history import History

PAUSED = frozenset({"node paused briefly", "node paused for long"})
CUT_OFF = frozenset(
    {
        "link to PostgreSQL cut",
        "link to PostgreSQL half open",
        "links flapping",
        "PostgreSQL away",
        "PostgreSQL frozen",
        "PostgreSQL restarted",
        "connections exhausted",
        "disk full",
        "tables locked",
    }
)
"""In which an incarnation may be dead to the others and not know it yet."""
SETTLES_S = 1.0
"""After a takeover: until what was taken over runs."""


def broken_at(history: History, node: str | None, at: float, kinds: frozenset[str]) -> Iterator[Band]:
    """The bands of these kinds that lie over an instant, with the time until a node learns what happened meanwhile.
    ``node``: only what strikes it, or all; None: whomever it strikes."""
    for band in history.bands:
        reaches = band.began <= at <= band.healed + learns_within_s(history)
        if reaches and band.kind in kinds and (node is None or band.target in (node, "")):
            yield band


def learns_within_s(history: History) -> float:
    """How long after it is mended a node may not know that it was taken over: its next beats, one of which may have to
    find a new connection first."""
    return 2 * history.lease_s


def window(history: History, band: Band) -> tuple[float, float]:
    """From when to when a fault shows: also a process that was started again at once is missed until its lease or its
    session is over."""
    missed_until = band.began + history.options.session_timeout_s + SETTLES_S
    return band.began, max(band.healed + SETTLES_S, missed_until)


def bands_over(history: History, since: float, until: float) -> Iterator[Band]:
    """Those whose window has a part of this stretch."""
    for band in history.bands:
        began, ended = window(history, band)
        if began <= until and since <= ended:
            yield band
