"""How many items the `balanced` strategy moves when a node leaves, against the least that could do.

A join is a leave read backwards (the answer depends on the members alone), and moves as many. Prints the table of
docs/sharding.md: `python bench/movement.py`. It only counts, so it says the same on every machine.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shardkeeper.domain.roster import Roster
from shardkeeper.domain.sharding import owners
from shardkeeper.domain.specs import Strategy
from shardkeeper.domain.view import Member

SIZES = ((3, 1), (3, 3), (3, 7), (3, 30), (5, 5), (5, 10), (5, 100), (6, 5), (10, 10), (10, 100), (10, 1000))
LARGE_SIZES = ((20, 50), (50, 2000), (100, 10_000))
WEIGHTS = {"equal": (1.0,), "1, 2, 4": (1.0, 2.0, 4.0)}
PAIRS_PER_ROW = 300_000
"""Items times nodes that are worked through for one row: it bounds the number of jobs."""


@dataclass(frozen=True, slots=True)
class Movement:
    """Sums over some jobs."""

    items: int
    moved: int
    least: int


def least_moves(before: Sequence[str | None], after: Roster) -> int:
    """The fewest items that must move from `before` to any dealing that rounds each node's quota down or up."""
    held = Counter(before)
    total = len(before)
    whole = sum(after.shares)
    kept = left = over = 0
    for node_id, share in zip(after.node_ids, after.shares, strict=True):
        floor, rest = divmod(total * share, whole)
        kept += min(held[node_id], floor)
        left += rest
        over += held[node_id] > floor and rest > 0
    return total - kept - min(left // whole, over)


def movement(nodes: int, total: int, weights: Sequence[float], jobs: int) -> Movement:
    """Another node leaves for each job."""
    members = [Member(f"node-{i}", "1", weights[i % len(weights)]) for i in range(nodes)]
    all_of_them = Roster(members)
    without = [Roster(members[:i] + members[i + 1 :]) for i in range(nodes)]
    items = moved = least = 0
    for number in range(jobs):
        rest = without[number % nodes]
        full = owners(f"job-{number}", total, Strategy.BALANCED, all_of_them)
        less = owners(f"job-{number}", total, Strategy.BALANCED, rest)
        items += total
        moved += sum(one != other for one, other in zip(full, less, strict=True))
        least += least_moves(full, rest)
    return Movement(items, moved, least)


def main() -> None:
    out = sys.stdout
    out.write(
        "| weights | nodes | items | moved, of all items | least possible | excess |\n|---|---|---|---|---|---|\n"
    )
    for name, weights in WEIGHTS.items():
        for nodes, total in SIZES + LARGE_SIZES:
            jobs = max(nodes, min(3000, PAIRS_PER_ROW // (nodes * total) * 4))
            if total == LARGE_SIZES[-1][1]:
                jobs = 10
            found = movement(nodes, total, weights, jobs)
            shares = (found.moved, found.least, found.moved - found.least)
            cells = " | ".join(f"{100 * share / found.items:.1f} %" for share in shares)
            out.write(f"| {name} | {nodes} | {total} | {cells} |\n")


if __name__ == "__main__":
    main()
