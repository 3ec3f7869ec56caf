"""Nobody is taken over whom the taker has not watched for long enough, nor without any cause (rule 7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from shardkeeper.memory.clock import START
from shardkeeper.memory.history import What
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "leases"
SLOW = "calls are slow"
"""As the nemesis says it."""
LATENCY_S = 0.1
HARMLESS = ("starts ", "asked to leave", "has left", "has chosen")
"""Of what the nemesis says."""
LONG_AGO = timedelta(seconds=60)
"""A fault that began so long before the last beat is not the cause."""


def check(world: World) -> Iterator[Broken]:
    """Takeovers against readings and faults."""
    yield from _watched(world)
    yield from _undisturbed(world)


def _watched(world: World) -> Iterator[Broken]:
    """Who takes over has read the leases again and again while the beat stood still: a gap in its readings, of the
    store's or of its own making, begins the watch anew.

    A reading counts here from when the store was asked; on slow wires that is long before the answer, so they are left
    out. Who has not joined reads the lease of its predecessor in another way.
    """
    lease_s = world.conditions.lease_s
    slow = {str(line.what).split()[0] for line in world.trace.lines if str(line.what).endswith(SLOW)}
    readings: dict[str, list[datetime]] = {}
    for entry in world.database.history.of(What.BEATEN, What.TAKEN_OVER):
        if entry.what is What.BEATEN:
            readings.setdefault(entry.incarnation or "", []).append(entry.at)
            continue
        taker = entry.note or ""
        if taker not in readings or taker.rpartition(".")[0] in slow:
            continue
        watched_s = _stretch_s(readings[taker], lease_s / 3 + LATENCY_S)
        if watched_s < lease_s / 2:
            what = f"{entry.incarnation} was taken over at {entry.at} by {taker}"
            yield Broken(PROMISE, f"{what}, which had watched for {watched_s:.1f} s", entry.incarnation)


def _undisturbed(world: World) -> Iterator[Broken]:
    """A takeover has its cause in some fault: a node that is let alone, or stops cleanly, goes on beating."""
    faults = [
        START + timedelta(seconds=line.mono)
        for line in world.trace.lines
        if line.who == "nemesis" and not any(word in str(line.what) for word in HARMLESS)
    ]
    for entry in world.database.history.of(What.TAKEN_OVER):
        lease = world.database.leases.get(entry.incarnation or "")
        last_beat = entry.at if lease is None else lease.beaten_at
        if not any(last_beat - LONG_AGO <= at <= entry.at for at in faults):
            yield Broken(
                PROMISE, f"{entry.incarnation} was taken over, and nothing had befallen it", entry.incarnation
            )


def _stretch_s(readings: list[datetime], longest_gap_s: float) -> float:
    """How far back the readings go without a gap."""
    first = readings[-1]
    for before in reversed(readings):
        if (first - before).total_seconds() > longest_gap_s:
            break
        first = before
    return (readings[-1] - first).total_seconds()
