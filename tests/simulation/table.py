"""``python -m tests.simulation.table``: the rows of the table in docs/simulation.md, made anew.

Each guard that storms show is switched off in the first twenty seeds, which takes some twelve minutes of one processor
for all of them; ``--guard`` makes the rows of those whose name has these words.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.simulation.guards import GUARDS
from tests.simulation.mutations import Mutation

SEEDS = range(1, 21)
PAGE = Path(__file__).parents[2] / "docs" / "simulation.md"
STORY = "a story"
HEAD = "| rule | guard switched off | check that sees it | of 20 seeds | seen in |"
Row = tuple[str, str, str, str, str]


def row_of(mutation: Mutation, seeds: Iterable[int] = SEEDS) -> Row:
    """One row: in how many seeds any check finds something, and the first in which this one does; where a story was
    made for it, storms are not asked."""
    named = (mutation.rule, mutation.guard, f"`{mutation.check}`")
    if callable(mutation.seen_in):
        return *named, "", STORY
    broken = {seed: mutation.broken_in(seed) for seed in seeds}
    first = next(
        (seed for seed, promises in broken.items() if mutation.is_seen_by(promises)), mutation.seen_in
    )
    return *named, str(sum(map(bool, broken.values()))), f"seed {first}"


def rows_on_page() -> Iterator[Row]:
    """As they stand on the page."""
    table = PAGE.read_text().partition(HEAD + "\n")[2].partition("\n\n")[0]
    for line in table.splitlines()[1:]:
        rule, guard, check, seen, where = re.split(r" *\| *", line[1:-1].strip())
        yield rule, guard, check, seen, where


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.table", description=__doc__)
    parser.add_argument("--guard", default="", help="only guards whose name has these words")
    words = parser.parse_args(arguments).guard
    sys.stdout.write(f"{HEAD}\n|---|---|---|---|---|\n")
    for mutation in GUARDS:
        if words in mutation.name:
            sys.stdout.write(f"| {' | '.join(row_of(mutation))} |\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
