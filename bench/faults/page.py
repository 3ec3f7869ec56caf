"""docs/reliability/faults.md, its picture, and the same figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.faults.figures import Figures
from bench.faults.history import History
from bench.faults.plot import draw
from bench.faults.report import LATENESS_HEAD, in_words, lateness_row, summary, verdict
from bench.faults.violation import Violation
from bench.tables import markdown_table

FOLDER = Path(__file__).parents[2] / "docs" / "reliability"
FAULTS_HEAD = ("fault", "struck", "of what", "how long, in all")

PAGE = """# Real faults on real processes

Written by `make faults WRITE=1`: {nodes} nodes, a ZooKeeper ensemble of three and PostgreSQL, all on one machine;
{jobs} scheduled jobs of all kinds and policies, and {submitted} tasks submitted meanwhile, each with an idempotency
key. Every fault below was caused while they ran, one after the other. The tasks are their own witnesses: each tells a
file when it began and when it ended, and what it told is held against what is recorded.

{machine}

![each fire and how late it was, with the faults as bands](faults.png)

**{verdict}**

{summary}

## How late

From the fire time to the first line of the task, for each item of each scheduled fire. A fault counts until it is
mended, and at least until the session of whoever is missed has ended. What it leaves to be caught up on is worked off
after that, so *outside faults* has the queues after an outage in it.

{lateness}

*made up for*: fires older than the on-time window when PostgreSQL was back. The sweep runs those that the job's misfire
policy lets run; the others are MISSED, with a record and an alert.

## What was done

{faults}

## What is judged

- Every fire that was due, worked out from the schedule by arithmetic of its own, is covered exactly once: by a run, or
  by a MISSED or SKIPPED record whose reason is right. None begins before its fire time.
- Every submission that was answered is one run, which has ended, however often its key was given.
- No item has two recorded successes. Each success was told by the execution whose token it has, under the claim that it
  has; values are those of that execution alone; each attempt went on from the recorded checkpoint.
- Two executions of one item overlap only where the earlier one's node was paused or cut off from PostgreSQL. What is
  `on_lease_loss = stop` is dead at the end of the lease.
- While ZooKeeper is away nothing that is scheduled is more than 1 s late. When PostgreSQL is back, every fire of its
  absence is accounted for within 10 s, and what ended meanwhile is recorded.
- Every run that FAILED and every MISSED record has one alert, and each alert is in a message that Slack received.
- At the end nothing is open.
"""


def write_page(
    history: History,
    measured: Figures,
    violations: Sequence[Violation],
    machine: Mapping[str, str],
    folder: Path = FOLDER,
) -> None:
    """Write faults.md, faults.json and faults.png into ``folder``; ``machine``: bench/machine.py."""
    folder.mkdir(parents=True, exist_ok=True)
    draw(history, folder / "faults.png")
    (folder / "faults.md").write_text(page(history, measured, violations, machine))
    told = json.dumps(document(history, measured, violations, machine), indent=1)
    (folder / "faults.json").write_text(told + "\n")


def page(
    history: History, measured: Figures, violations: Sequence[Violation], machine: Mapping[str, str]
) -> str:
    """The Markdown."""
    return PAGE.format(
        nodes=history.options.nodes,
        jobs=sum(any(one.cron or one.every_us for one in job.versions) for job in history.jobs.values()),
        submitted=f"{len(history.promises):,}",
        machine="\n".join(f"- {name}: {value}" for name, value in machine.items()),
        verdict=verdict(violations),
        summary="\n".join(f"- {line}" for line in summary(measured)),
        lateness=markdown_table(LATENESS_HEAD, [lateness_row(*row) for row in measured.lateness.items()]),
        faults=markdown_table(FAULTS_HEAD, list(_fault_rows(history))),
    )


def document(
    history: History, measured: Figures, violations: Sequence[Violation], machine: Mapping[str, str]
) -> dict[str, Any]:
    """For programs. Times are seconds; bands count from the first one's beginning."""
    first = min((band.began for band in history.bands), default=0.0)
    return {
        "machine": dict(machine),
        "options": asdict(history.options),
        "figures": asdict(measured),
        "violations": [asdict(violation) for violation in violations],
        "bands": [
            asdict(band) | {"began": round(band.began - first, 3), "healed": round(band.healed - first, 3)}
            for band in history.bands
        ],
    }


def _fault_rows(history: History) -> Iterator[tuple[str, ...]]:
    for kind in dict.fromkeys(band.kind for band in history.bands):
        own = [band for band in history.bands if band.kind == kind]
        targets = ", ".join(sorted({band.target or "all" for band in own}))
        yield kind, f"{len(own)} ×", targets, in_words(sum(band.length_s for band in own))
