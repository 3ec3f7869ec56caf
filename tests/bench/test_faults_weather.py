"""What the judge makes allowance for is what the nemeses are called."""

from __future__ import annotations

import pytest

from bench.faults.nemeses.lineup import NEMESES
from bench.faults.promises.endings import KILLS_WORKERS
from bench.faults.promises.lease_loss import ENDS_LEASES
from bench.faults.weather import CUT_OFF, PAUSED


@pytest.mark.parametrize(
    "kinds",
    [PAUSED, CUT_OFF, ENDS_LEASES, KILLS_WORKERS, {"node killed", "PostgreSQL away", "ZooKeeper away"}],
)
def test_each_kind_that_counts_is_a_nemesis(kinds: frozenset[str]) -> None:
    assert kinds <= set(NEMESES)
