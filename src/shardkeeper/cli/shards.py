"""`shards`: who owns which item."""

from __future__ import annotations

from collections import Counter

import click

from shardkeeper.cli.context import operations
from shardkeeper.cli.options import answering, labels, watching
from shardkeeper.cli.output import Column, Output, notes, plain, state, text


@click.command()
@click.argument("job", required=False)
@labels
@answering
@watching
def shards(output: Output, job: str | None, labels: dict[str, str]) -> None:
    """Who owns which sharding item now, of all scheduled jobs or of one."""
    answer = operations().shards.listing(job, labels)
    notes(answer.notes)
    loads = Counter(text(row["owner"]) or "nobody" for row in answer.value)
    columns = [
        plain("JOB", "job_name"),
        plain("ITEM", "item", right=True),
        plain("PARAMETER", "item_parameter"),
        Column("OWNER", lambda row: text(row["owner"]) or "nobody fits"),
        state("STATE", "state"),
        plain("STRATEGY", "strategy"),
        plain("EPOCH", "epoch", right=True),
    ]
    caption = " · ".join(f"{node} {load}" for node, load in sorted(loads.items()))
    output.rows(answer.value, columns, "no items", caption)
