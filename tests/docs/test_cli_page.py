"""docs/reference/cli.md says what the command line takes and answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from shardkeeper.cli import failures, main
from shardkeeper.cli.root import COMMANDS
from shardkeeper.domain.outcomes import ValueRow
from tests.cli.conftest import Desk
from tests.contract.story import COMPLETED
from tests.docs.pages import page, plain, sections, table

PAGE = page("cli.md")
SECTIONS = sections(PAGE)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by what is written behind `shardkeeper`."""
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {below}", one) for below, one in command.commands.items())
        else:
            yield name, command


TREE = dict(commands())


def usage(name: str) -> str:
    """The line of usage in a command's section."""
    found = re.search(rf"^`shardkeeper {name}(.*)`$", SECTIONS[name], re.MULTILINE)
    assert found, f"{name} has no line of usage"
    return found[1]


def keys(name: str) -> set[str]:
    """The JSON keys that a section names: those outside parentheses, and those of the section it points to."""
    found = re.search(r"Keys: (.*?)(?:\n\n|\Z)", SECTIONS[name], re.DOTALL)
    assert found, f"{name} tells no keys"
    told = re.sub(r"\([^)]*\)", "", found[1])
    also = re.search(r"as `(\w+)`", told)
    return set(re.findall(r"`(\w+)`", told)) - ({also[1]} if also else set())


def columns(*tables: str) -> set[str]:
    found = sections(page("sql.md"))
    return {plain(row[0]) for name in tables for row in table(found[name])}


def test_every_command_has_a_section_and_nothing_else_has() -> None:
    assert set(SECTIONS) == set(TREE)


@pytest.mark.parametrize("name", TREE)
def test_a_commands_usage_has_its_options_and_arguments(name: str) -> None:
    options = [one for one in TREE[name].params if isinstance(one, click.Option)]
    expected = {min(one.opts, key=len) for one in options if "--help" not in one.opts}
    assert set(re.findall(r"\[(--?[a-z-]+)", usage(name))) == expected
    for one in options:
        takes_value = bool(re.search(rf"{re.escape(min(one.opts, key=len))} [A-Z]", usage(name)))
        assert takes_value is not one.is_flag, one.opts
    behind = re.sub(r"\[-[^\]]*\]", "", usage(name)).split()
    arguments = [one for one in TREE[name].params if isinstance(one, click.Argument)]
    assert len(behind) == len(arguments)
    for word, argument in zip(behind, arguments, strict=True):
        assert word.startswith("[") is not argument.required


def test_the_options_that_many_share_are_described() -> None:
    shared = {
        option
        for row in table(PAGE.split("|---|---|\n", 1)[1].split("\n\n", 1)[1])
        for option in row[0].split(", ")
    }
    counted: dict[str, int] = {}
    for command in TREE.values():
        for one in command.params:
            if isinstance(one, click.Option):
                counted.update({option: counted.get(option, 0) + 1 for option in one.opts})
    assert {plain(one) for one in shared} == {option for option, times in counted.items() if times > 2}


def test_the_exit_codes_are_those_of_the_code() -> None:
    named = {
        name: value for name, value in vars(failures).items() if name.isupper() and isinstance(value, int)
    }
    assert {int(row[0]) for row in table(PAGE)} == {0, *named.values()}


def test_each_section_has_an_example_but_the_two_that_live_long() -> None:
    without = {name for name, text in SECTIONS.items() if "```console\n$ shardkeeper " not in text}
    assert without == {"agent", "dev"}


@pytest.mark.parametrize("name", [name for name in TREE if "--json" in usage(name) and name != "next"])
def test_whoever_speaks_json_tells_the_keys(name: str) -> None:
    assert keys(name) or "Keys:" in SECTIONS[name]


def test_the_json_has_the_keys_that_are_told(real_desk: Desk) -> None:
    story = real_desk.story
    story.job(overlap="allow")
    run = str(story.run_to(COMPLETED, values=(ValueRow("k", 1, 1.0),)))
    story.create()
    runs = columns("job_run") | {"name"}
    nodes = keys("nodes")
    jobs = columns("job_spec", "job_status") - {"job_name"}
    expected = {
        ("jobs",): jobs,
        ("job", "job"): jobs | keys("job"),
        ("shards",): keys("shards"),
        ("nodes",): nodes,
        ("node", "node-a"): nodes | keys("node"),
        ("runs",): runs,
        ("run", run): runs | keys("run"),
        ("logs", run): keys("logs"),
        ("trigger", "job"): runs | keys("run"),
        ("rerun", run): runs | keys("run"),
        ("doctor",): keys("doctor"),
    }
    assert {arguments: set(_first(real_desk.json(*arguments))) for arguments in expected} == expected
    found = real_desk.json("run", run)
    assert set(found["shard_runs"][0]) == columns("shard_run")
    assert set(found["values"][0]) == {"item", "key", "value", "weight"}
    assert set(real_desk.json("doctor")["checks"][0]) == {"name", "state", "detail", "mend"}
    assert "attempts" in keys("node")


def test_the_json_of_files_has_the_keys_that_are_told(real_desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "specs.yaml").write_text(
        "impls: [{name: i, entrypoint: 'acme.jobs:Task'}]\njobs: [{name: from-file, impl_spec: i}]\n"
    )
    found: list[dict[str, Any]] = real_desk.json("diff", str(tmp_path), exit_code=failures.DIFFERENT)
    assert set(found[0]) == keys("diff")
    assert set(real_desk.json("apply", str(tmp_path))) == keys("apply")
    (tmp_path / "specs.yaml").write_text("jobs: [{name: from-file, impl_spec: i, owner: me}]\n")
    found = real_desk.json("diff", "--only-files", str(tmp_path), exit_code=failures.DIFFERENT)
    assert found[0]["fields"] == {"owner": {"database": None, "files": "me"}}


def _first(found: Any) -> Any:
    return found[0] if isinstance(found, list) else found
