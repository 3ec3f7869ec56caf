"""`jobs`, `job`, `pause`, `resume`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.text import Text

from shardkeeper.cli.context import operations
from shardkeeper.cli.options import ahead, answering, labels, watching
from shardkeeper.cli.output import Column, Output, coloured, facts, plain, text
from shardkeeper.node.actor import actor
from shardkeeper.node.operations.flows import Step


@click.command()
@labels
@answering
@watching
def jobs(output: Output, labels: dict[str, str]) -> None:
    """All jobs: when they run, how the last run went, what is wrong with them."""
    rows = operations().jobs.listing(labels)
    columns = [
        plain("JOB", "name"),
        Column("SCHEDULE", schedule),
        plain("ITEMS", "sharding_total_count", right=True),
        Column("LAST", lambda row: coloured(text(row["last_status"]))),
        output.instant("FINISHED", "last_finished_at"),
        Column("FAILS", lambda row: text(row["failures_in_a_row"] or None), right=True),
        Column("STATE", standing, fold=True),
    ]
    output.rows(rows, columns, "no jobs yet: insert a row into shardkeeper.job_spec, or `shardkeeper apply`")


@click.command()
@click.argument("name")
@answering
@watching
def job(output: Output, name: str) -> None:
    """One job: its columns, its state, when it is due next, what it follows and what follows it."""
    found = operations().jobs
    row = found.get(name)
    before, after = found.before_and_after(name)
    fires = ", ".join(output.time(fire) for fire in row["next_fires"])
    head: list[tuple[str, str | Text]] = [
        ("job", Text(row["name"], "bold")),
        ("state", standing(row)),
        ("schedule", schedule(row)),
        (f"next ({output.zone_name})", fires),
        ("last run", _last(row, output)),
        ("follows", tree(before)),
        ("followed by", tree(after)),
    ]
    shown = {
        "follows",
        "followed_by",
        "name",
        "cron",
        "every",
        "run_at",
        "problem",
        "paused",
        "paused_reason",
        "enabled",
        "next_fires",
    }
    others: list[tuple[str, str | Text]] = [
        (column, output.time(value) if isinstance(value, datetime) else text(value))
        for column, value in row.items()
        if column not in shown and not column.startswith("last_") and value not in ({}, None)
    ]
    output.one(row, facts([*head, *others]))


@click.command()
@click.argument("name", metavar="JOB")
@click.option("--reason", help="Why, for whoever wonders.")
@click.option("--until", type=ahead, help="When it ends by itself: an instant, or a duration from now.")
def pause(name: str, reason: str | None, until: datetime | None) -> None:
    """Hold a job's scheduled fires; they are recorded as SKIPPED. Triggers and submissions still run."""
    operations().jobs.pause(name, reason, until, actor())
    click.echo(f"{name} is paused{f' until {until.isoformat()}' if until else ''}.")


@click.command()
@click.argument("name", metavar="JOB")
def resume(name: str) -> None:
    """End a job's pause."""
    was_paused = operations().jobs.resume(name, actor())
    click.echo(f"{name} is resumed." if was_paused else f"{name} was not paused.")


def tree(steps: Sequence[Step]) -> str:
    """One job a line, indented by how far away it is, with the end that counts where it is not completion."""
    lines = []
    for step in steps:
        on = "" if step.on == "completed" else f" ({step.on})"
        lines.append(f"{'  ' * (step.depth - 1)}{step.job}{on}{' ...' if step.again else ''}")
    return "\n".join(lines)


def schedule(row: Mapping[str, Any]) -> str:
    """When the job runs, in its own words."""
    if row["cron"] is not None:
        return text(row["cron"])
    if row["every"] is not None:
        return f"every {text(row['every'])}"
    if row["run_at"] is not None:
        return f"at {text(row['run_at'])}"
    return "after other jobs" if row["follows"] else "on demand"


def standing(row: Mapping[str, Any]) -> Text:
    """What keeps the job from running, if anything does."""
    if row["problem"]:
        return Text(text(row["problem"]), "bold red")
    if row["paused"]:
        why = text(row["paused_reason"])
        return Text(f"paused: {why}" if why else "paused", "yellow")
    return Text("enabled", "green") if row["enabled"] else Text("disabled", "dim")


def _last(row: Mapping[str, Any], output: Output) -> str:
    if row["last_run"] is None:
        return ""
    failures = f", {row['failures_in_a_row']} failures in a row" if row["failures_in_a_row"] else ""
    return f"{row['last_run']} {row['last_status']} at {output.time(row['last_finished_at'])}{failures}"
