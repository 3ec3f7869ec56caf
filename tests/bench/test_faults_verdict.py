"""What nodes may not do in a run of faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.faults.told import Told
from bench.faults.verdict import of_nodes

TOLD = Told(
    bands=(),
    began=0.0,
    healed_at=1.0,
    last_fire=2.0,
    wall_minus_monotonic_s=0.0,
    exit_codes={"faults-1": (0, 0)},
)


def violations(told: Told) -> Sequence[str]:
    return [str(violation) for violation in of_nodes(told)]


def test_nodes_that_end_in_peace_are_no_violation() -> None:
    assert not violations(TOLD)


def test_a_node_that_ends_by_itself_is_one() -> None:
    assert violations(replace(TOLD, fallen=("faults-2 ended by itself with 1",))) == [
        "nodes: faults-2 ended by itself with 1"
    ]


def test_one_that_ends_otherwise_than_in_peace_is_one() -> None:
    assert violations(replace(TOLD, exit_codes={"faults-1": (0, -9)})) == [
        "nodes: faults-1 ended with -9 after SIGTERM"
    ]


def test_what_does_not_come_to_rest_is_one() -> None:
    assert violations(replace(TOLD, restless=("2 open runs",))) == ["nodes: no rest: 2 open runs"]
