"""docs/benchmarks/on-demand.md and on-demand-awake.md, and the same figures as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.on_demand.answer import HEAD, cells, notes
from bench.on_demand.options import Options
from bench.on_demand.rows import Row
from bench.tables import markdown_table

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"

AS_IT_IS = """# Work on demand, beside other queues

Written by `make bench-on-demand WRITE=1`. How much of these figures is the waking of idle processors is to be seen from
[the same where they do not halt](on-demand-awake.md)."""

AWAKE = """# Work on demand, where idle processors do not halt

Written by `make bench-on-demand AWAKE=1 WRITE=1`: all that is on [the page of the machine as it is](on-demand.md),
measured while `/dev/cpu_dma_latency` keeps idle processors from halting. That is how machines are after `tuned-adm
profile latency-performance`; where the kernel polls for a while before it halts they come near to it
([performance](../performance.md#where-the-next-walls-stand))."""

TEXT = """{head} Everything ran on one machine in one run; each figure is the median of
{rounds} rounds, in each of which all took their turn. Compare rows of this table with each other; on another machine
all of them change.

{machine}

{table}

- *INSERT/s*: rows that one client inserted and committed into a bare table of the same PostgreSQL just before the row's
  turns: what this disk gave at that minute. No submission kept in PostgreSQL can be quicker.
- *submit/s*: one client, one at a time, each accepted before the next. *bulk/s*: in the quickest way a system has.
- *drain/s*: {tasks:,} no-op tasks, from the first one taken up to the last outcome recorded (or acknowledged, where
  none is recorded). *steady/s*: the middle four fifths of them, without warming up and tail.
- *pick-up*: {samples} times a round, from just before the submitting call to the first line of the task, with nothing
  else to do.
- *cores while draining*: processor time of each kind of process and its children over the drain's time.
- Shardkeeper: one node with {workers} workers and ZooKeeper beside it; each task is a run of its own, with its attempt,
  outcome and times recorded and fenced. `process`: in a supervised process that can be killed alone; `thread`: threads
  of one such process. PostgreSQL flushes each commit to disk; peers use the same server.

Where a peer is ahead, [performance](../performance.md#where-the-next-walls-stand) tells what buys that, and what would
close it. What is not like for like:

{notes}
"""


def place(options: Options) -> Path:
    """The page's."""
    return FOLDER / ("on-demand-awake.md" if options.awake else "on-demand.md")


def page(rows: Sequence[Row], options: Options, machine: Mapping[str, str]) -> str:
    """The whole file."""
    return TEXT.format(
        head=AWAKE if options.awake else AS_IT_IS,
        rounds=options.rounds,
        machine="\n".join(f"- {name}: {value}" for name, value in machine.items()),
        table=markdown_table(HEAD, [cells(row) for row in rows]),
        tasks=options.tasks,
        samples=options.samples,
        workers=options.workers,
        notes="\n".join(f"- {note}" for note in notes(rows)),
    )


def document(rows: Sequence[Row], options: Options, machine: Mapping[str, str]) -> dict[str, Any]:
    """For programs."""
    return {"machine": dict(machine), "options": asdict(options), "rows": [asdict(row) for row in rows]}
