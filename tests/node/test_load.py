"""A node is busy at once, and idle only after a while with room."""

from __future__ import annotations

from shardkeeper.node.load import LoadGauge
from shardkeeper.ports.coordinator import Load


def test_a_node_is_busy_as_soon_as_it_holds_its_share() -> None:
    gauge = LoadGauge(busy_at=75)
    assert gauge.see(2, 4, mono=100.0) is None
    assert gauge.see(3, 4, mono=100.1) is Load.BUSY
    assert gauge.see(4, 4, mono=100.2) is None


def test_bursts_are_not_told_one_by_one() -> None:
    gauge = LoadGauge(busy_at=90, dwell_s=5.0)
    told = [gauge.see(held, 4, mono=100.0 + second) for second in range(20) for held in (4, 0)]
    assert [load for load in told if load is not None] == [Load.BUSY]


def test_a_node_is_idle_after_a_while_with_room() -> None:
    gauge = LoadGauge(busy_at=90, dwell_s=5.0)
    gauge.see(4, 4, mono=100.0)
    assert gauge.see(0, 4, mono=104.9) is None
    assert gauge.see(0, 4, mono=105.0) is Load.IDLE
