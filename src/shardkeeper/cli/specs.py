"""`apply`, `check`, `export`, `diff`: spec files and the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.text import Text

from shardkeeper.cli.context import operations
from shardkeeper.cli.failures import DIFFERENT
from shardkeeper.cli.options import answering
from shardkeeper.cli.output import STYLES, Output, notes, print_json, show, text
from shardkeeper.domain.specset import Difference
from shardkeeper.node.actor import actor

paths = click.argument(
    "paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[FILE_OR_FOLDER]..."
)
DEFAULT = Path("jobspecs")


def _given(found: tuple[Path, ...]) -> tuple[Path, ...]:
    if not found and not DEFAULT.is_dir():
        raise click.UsageError("give files or folders of specs: there is no folder jobspecs/ here")
    return found or (DEFAULT,)


@click.command()
@paths
@answering
def apply(output: Output, paths: tuple[Path, ...]) -> None:
    """Write the specs of YAML files (default: jobspecs/) into the database, all or none.

    What the files do not name stays; pauses stay.
    """
    answer = operations().specs.apply(_given(paths), actor())
    notes(answer.notes)
    if output.as_json:
        print_json(answer.value)
        return
    for what in ("inserted", "updated", "unchanged"):
        if answer.value[what]:
            click.echo(f"{what}: {', '.join(answer.value[what])}")


@click.command()
@paths
def check(paths: tuple[Path, ...]) -> None:
    """Judge the specs of YAML files (default: jobspecs/), all problems at once. Asks no server."""
    answer = operations().specs.check(_given(paths))
    notes(answer.notes)
    impls, jobs = len(answer.value.impls), len(answer.value.jobs)
    click.echo(
        f"{impls} ImplSpec{'s' if impls != 1 else ''} and {jobs} job{'s' if jobs != 1 else ''} are valid."
    )


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
def export(jobs: tuple[str, ...]) -> None:
    """Print the specs of the database as YAML: all, or these jobs with their ImplSpecs."""
    specs = operations().specs
    answer = specs.export(jobs)
    notes(answer.notes)
    click.echo(specs.dump(answer.value), nl=False)


@click.command()
@paths
@click.option("--only-files", is_flag=True, help="Pass over jobs and ImplSpecs that only the database has.")
@answering
def diff(output: Output, paths: tuple[Path, ...], only_files: bool) -> None:
    """How the database differs from YAML files (default: jobspecs/); exit 3 where it does."""
    answer = operations().specs.diff(_given(paths), only_files)
    notes(answer.notes)
    if output.as_json:
        print_json([_plain(one) for one in answer.value])
    else:
        for one in answer.value:
            show(_shown(one))
    if answer.value:
        raise SystemExit(DIFFERENT)


def _plain(one: Difference) -> dict[str, Any]:
    fields = {name: {"database": old, "files": new} for name, (old, new) in one.fields.items()}
    return {"what": one.what, "name": one.name, "change": one.change.value, "fields": fields}


def _shown(one: Difference) -> Text:
    """The spec, and for a change each field: what the database has, what the files have."""
    where = {"added": "only in the files", "removed": "only in the database"}.get(one.change, "differs")
    found = Text(f"{one.what} {one.name}: {where}", STYLES[one.change])
    if one.change == "changed":
        for name, (old, new) in one.fields.items():
            found.append(f"\n  {name}: ", "bold").append(text(old) or "-", "red").append(" → ", "dim")
            found.append(text(new) or "-", "green")
    return found
