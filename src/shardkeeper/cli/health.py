"""`doctor` and `config`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from shardkeeper.cli.context import operations
from shardkeeper.cli.failures import REFUSED, UNREACHABLE
from shardkeeper.cli.options import answering, watching
from shardkeeper.cli.output import Output, facts, plain, state, table, text
from shardkeeper.node.operations import CheckState


@click.command()
@answering
@watching
def doctor(output: Output) -> None:
    """Find what is wrong, and say what mends it; exit 1 when something is, 69 when a server is away."""
    checks = operations().health.doctor()
    rows = [
        {"name": one.name, "state": one.state.value, "detail": one.detail, "mend": one.mend} for one in checks
    ]
    failed = [one for one in checks if one.state is CheckState.FAILED]
    columns = [
        plain("CHECK", "name"),
        state("STATE", "state"),
        plain("FOUND", "detail", fold=True),
        plain("MEND", "mend", fold=True),
    ]
    output.one({"ok": not failed, "checks": rows}, table(rows, columns))
    if failed:
        raise SystemExit(UNREACHABLE if any(one.unreachable for one in failed) else REFUSED)


@click.command()
@answering
def config(output: Output) -> None:
    """Every setting in force here; secrets masked."""
    row = operations().health.config()
    output.one(row, facts(_flat(row)))


def _flat(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if isinstance(value, Mapping) and name != "labels":
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", text(value) or "-"
