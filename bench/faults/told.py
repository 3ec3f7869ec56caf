"""What whoever ran the faults can tell, beside what is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.faults.bands import Band


@dataclass(frozen=True, slots=True)
class Told:
    """One run of faults. Times: seconds since the epoch by this machine's clock.

    ``began``: when the jobs were there; ``healed_at``: when the last fault was over; ``last_fire``: from when on
    nothing fires any more. ``wall_minus_monotonic_s``: seconds to add to this machine's monotonic clock.
    ``exit_codes``: of each node, one for each SIGTERM. ``fallen``: nodes that ended though nobody had told them to.
    ``restless``: what was still on its way when nothing moved any more. ``left_out``: nemeses that could not strike
    here, and why.
    """

    bands: Sequence[Band]
    began: float
    healed_at: float
    last_fire: float
    wall_minus_monotonic_s: float
    exit_codes: Mapping[str, Sequence[int | None]] = field(default_factory=dict)
    fallen: Sequence[str] = ()
    restless: Sequence[str] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
