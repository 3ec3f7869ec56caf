"""Watches the beats of other incarnations: who has been seen unchanged for a whole lease (rule 7).

Only what this node has itself read counts, on its own monotonic clock. A pause of this node, or of the
store, shows as a gap between two readings and restarts every watch: nobody is declared dead for having been
out of sight.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shardkeeper.domain.leases import Lease, LeaseState


@dataclass(slots=True)
class _Seen:
    beat: int
    since_mono: float


class LeaseWatch:
    """``lease_s``: the length of a lease, in seconds."""

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._longest_gap_s = lease_s / 3
        self._seen: dict[str, _Seen] = {}
        self._last_read_mono: float | None = None

    def read(self, leases: Iterable[Lease], sent_mono: float, mono: float) -> list[Lease]:
        """Take in one reading, sent and answered at these times; the leases whose time is over.

        A beat counts as unchanged from when the first answer that showed it had *arrived* to when the last
        reading was *sent*.
        """
        if self._last_read_mono is None or sent_mono - self._last_read_mono > self._longest_gap_s:
            self._seen.clear()
        self._last_read_mono = mono
        lapsed = []
        present = set()
        for lease in leases:
            if lease.state is LeaseState.DEAD:
                continue
            present.add(lease.incarnation)
            if self._unchanged(lease, sent_mono, mono):
                lapsed.append(lease)
        for gone in self._seen.keys() - present:
            del self._seen[gone]
        return lapsed

    def _unchanged(self, lease: Lease, sent_mono: float, mono: float) -> bool:
        seen = self._seen.get(lease.incarnation)
        if seen is None or seen.beat != lease.beat:
            self._seen[lease.incarnation] = _Seen(lease.beat, mono)
            return False
        return sent_mono - seen.since_mono >= self._lease_s
