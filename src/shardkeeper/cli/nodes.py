"""`nodes`, `node`, `drain`, `undrain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from shardkeeper.cli.context import operations
from shardkeeper.cli.options import answering, labels, watching
from shardkeeper.cli.output import Column, Output, coloured, facts, notes, plain, state, table, text
from shardkeeper.node.actor import actor


@click.command()
@labels
@answering
@watching
def nodes(output: Output, labels: dict[str, str]) -> None:
    """The nodes of the cluster."""
    answer = operations().nodes.listing(labels)
    notes(answer.notes)
    columns = [
        Column("NODE", lambda row: f"{row['node_id']}{' *' if row['leader'] else ''}"),
        state("STATE", "state"),
        state("LOAD", "load"),
        plain("RUNNING", "running", right=True),
        plain("WEIGHT", "weight", right=True),
        plain("LABELS", "labels", fold=True),
        plain("EPOCH", "applied_epoch", right=True),
        Column("PROCESS", lambda row: f"{text(row['host'])}:{text(row['pid'])}"),
        plain("CODE", "code_version"),
    ]
    led = any(row["leader"] for row in answer.value)
    output.rows(answer.value, columns, "no node runs: `shardkeeper agent`", "* leader" if led else "")


@click.command()
@click.argument("name")
@click.option("--workers", type=click.IntRange(1, 10_000), help="Run so many attempts at once from now on.")
@answering
@watching
def node(output: Output, name: str, workers: int | None) -> None:
    """One node, with its lease and what it runs; or change its workers while it runs."""
    found = operations().nodes
    if workers is not None:
        found.workers(name, workers, actor())
    answer = found.get(name)
    notes(answer.notes)
    row = answer.value
    output.one(row, facts(_described(row, output)), *([_attempts(row, output)] if row["attempts"] else []))


@click.command()
@click.argument("name", metavar="NODE")
def drain(name: str) -> None:
    """Have a node hand its work over and take none, while it stays up."""
    operations().nodes.drain(name, True, actor())
    click.echo(f"{name} is ordered to drain.")


@click.command()
@click.argument("name", metavar="NODE")
def undrain(name: str) -> None:
    """Have a node take part again."""
    operations().nodes.drain(name, False, actor())
    click.echo(f"{name} is ordered to take part again.")


def _described(row: Mapping[str, Any], output: Output) -> list[tuple[str, Any]]:
    instants = ("joined_at", "beaten_at", "dead_at")
    left = {"node_id", "state", "attempts", *instants}
    return [
        ("node", text(row["node_id"])),
        ("state", coloured(row["state"])),
        *((name, text(value)) for name, value in row.items() if name not in left and value not in ({}, None)),
        *((name, output.time(row[name])) for name in instants),
    ]


def _attempts(row: Mapping[str, Any], output: Output) -> Any:
    columns = [
        plain("JOB", "job_name"),
        plain("ITEM", "item", right=True),
        state("STATUS", "status"),
        plain("RUN", "run_id", right=True),
        output.instant("FIRE TIME", "fire_time"),
    ]
    return table(row["attempts"], columns)
