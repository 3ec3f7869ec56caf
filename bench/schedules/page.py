"""docs/benchmarks/schedules.md with its picture, and the same figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.schedules.answer import HEAD, STEPS_HEAD, notes, steps, summary
from bench.schedules.options import Options
from bench.schedules.plot import draw
from bench.schedules.row import Row
from bench.schedules.watch import BURST_PATIENCE_S, SETTLE_S, WARM_UP_S
from bench.tables import markdown_table

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"
NAME = "schedules"

TEXT = """# Schedules, beside other schedulers

Written by `make bench-peers WRITE=1`. Everything ran on one machine in one run; each figure is the median of {rounds}
rounds, in each of which all took their turn. Compare rows of these tables with each other; on another machine all of
them change.

{machine}

{summary}

- *schedules kept*: the most schedules, each of which fires every second, of which not one fire was lost and 99 of 100
  began within a second. Steps of {ladder}; a system climbs until it does not keep one. *p50 there*, *p99*: lateness at
  that step.
- *burst*: {burst:,} schedules (fewer where it says so) that are due once, at one instant, and nothing else: from the
  instant to the last one's beginning, within {patience:g} s.
- *of ours*: times Shardkeeper's figure; of kept fires more is better, of a burst's time less. Bursts of another size
  are not compared.
- Lateness is from the fire time to the first line of the task, by the clock of this one machine. Each task tells it
  by a line in a file of its process, alike for all, and does nothing else.

![How late fires are as there are more schedules](schedules.png)

A cross is a step that was not kept. Each step was watched for {seconds} s after {warm_up} s of warming up; *lost* is
what had not begun {settle:g} s after the last of these fires was due. *cores*: processors in use by the system, its
servers included.

{steps}

What is not like for like:

{notes}
"""


def keep(rows: Sequence[Row], options: Options, machine: Mapping[str, str]) -> None:
    """Renew the page, the picture and the figures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{NAME}.json").write_text(json.dumps(document(rows, options, machine), indent=1) + "\n")
    draw(rows, FOLDER / f"{NAME}.png")
    (FOLDER / f"{NAME}.md").write_text(page(rows, options, machine))


def page(rows: Sequence[Row], options: Options, machine: Mapping[str, str]) -> str:
    """The whole file."""
    return TEXT.format(
        rounds=options.rounds,
        machine="\n".join(f"- {name}: {value}" for name, value in machine.items()),
        summary=markdown_table(HEAD, summary(rows, options.ladder[-1])),
        ladder=", ".join(f"{size:,}" for size in options.ladder),
        burst=options.burst,
        patience=BURST_PATIENCE_S,
        seconds=options.seconds,
        warm_up=WARM_UP_S,
        settle=SETTLE_S,
        steps=markdown_table(STEPS_HEAD, steps(rows)),
        notes="\n".join(f"- {note}" for note in notes(rows)),
    )


def document(rows: Sequence[Row], options: Options, machine: Mapping[str, str]) -> dict[str, Any]:
    """For programs: each row with its rounds, and the medians of these."""
    return {
        "machine": dict(machine),
        "options": asdict(options),
        "rows": [
            {
                **asdict(row),
                "kept": row.kept,
                "kept_per_s": row.kept_per_s,
                "burst": asdict(row.burst) if row.burst else None,
                "steps": [asdict(step) for step in row.steps],
            }
            for row in rows
        ],
    }
