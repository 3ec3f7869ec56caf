"""apply, check, diff, export."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardkeeper.domain.built_in import BUILT_IN_IMPLS
from tests.cli.conftest import Desk

FILE = """
impls:
  - name: prices
    kind: python
    entrypoint: acme.jobs:Prices
    sources:
      - {key: feed, weight: 2}
jobs:
  - {name: price-index, impl_spec: prices, cron: "*/5 * * * *", sharding_total_count: 3, timeout: 30 s}
  - {name: nightly, impl_spec: prices, cron: "0 3 * * *"}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "jobs.yaml").write_text(FILE)
    return tmp_path


def test_what_was_applied_does_not_differ_from_its_files(desk: Desk, files: Path) -> None:
    answer = desk.json("apply", str(files))
    assert answer == {"inserted": ["prices", "price-index", "nightly"], "updated": [], "unchanged": []}
    assert desk.json("diff", str(files)) == []
    assert desk.run("apply", str(files)).stdout == "unchanged: prices, price-index, nightly\n"


def test_a_difference_is_told_with_both_sides_and_exit_code_3(desk: Desk, files: Path) -> None:
    desk.run("apply", str(files))
    desk.story.world.author.put_job("nightly", cron="0 4 * * *")
    assert desk.json("diff", str(files), exit_code=3) == [
        {
            "what": "job",
            "name": "nightly",
            "change": "changed",
            "fields": {"cron": {"database": "0 4 * * *", "files": "0 3 * * *"}},
        }
    ]
    said = desk.run("diff", str(files))
    assert (said.exit_code, "cron: 0 4 * * * → 0 3 * * *" in said.stdout) == (3, True)


def test_what_only_the_database_has_is_a_difference_unless_only_the_files_count(
    desk: Desk, files: Path
) -> None:
    desk.run("apply", str(files))
    desk.story.job("another")
    found = desk.json("diff", str(files), exit_code=3)
    assert [(one["what"], one["name"], one["change"]) for one in found] == [
        ("impl", "impl", "removed"),
        ("job", "another", "removed"),
    ]
    assert desk.run("diff", str(files), "--only-files").exit_code == 0


def test_the_built_in_impls_are_nobodys_specs_until_somebody_changes_one(
    desk: Desk, files: Path, tmp_path: Path
) -> None:
    for impl in BUILT_IN_IMPLS:
        desk.story.world.author.put_impl(impl.name, entrypoint=impl.entrypoint, description=impl.description)
    (files / "nap.yaml").write_text("jobs: [{name: nap, impl_spec: sleep, parameters: {seconds: 1}}]")
    # the database has it, whichever it is
    assert "impl_spec sleep" not in desk.run("check", str(files)).stderr
    assert desk.json("apply", str(files))["inserted"] == ["prices", "price-index", "nightly", "nap"]
    assert desk.json("diff", str(files)) == []
    exported = desk.run("export").stdout
    assert "impl_spec: sleep" in exported
    assert "shardkeeper.tasks" not in exported
    assert "shardkeeper.tasks" not in desk.run("export", "nap").stdout
    assert len(desk.story.world.operator.impls()) == 1 + len(BUILT_IN_IMPLS)

    desk.story.world.author.put_impl("sleep", parameters={"seconds": 5})
    assert "shardkeeper.tasks.sleep:Sleep" in desk.run("export").stdout
    (found,) = desk.json("diff", str(files), exit_code=3)
    assert (found["what"], found["name"], found["change"]) == ("impl", "sleep", "removed")
    (tmp_path / "sleep.yaml").write_text(
        "impls: [{name: sleep, entrypoint: 'shardkeeper.tasks.sleep:Sleep', parameters: {seconds: 9}}]"
    )
    (found,) = desk.json("diff", str(tmp_path / "sleep.yaml"), "--only-files", exit_code=3)
    assert (found["name"], found["change"]) == ("sleep", "changed")


def test_an_export_applies_as_the_same_specs(desk: Desk, files: Path, tmp_path: Path) -> None:
    desk.run("apply", str(files))
    exported = tmp_path / "exported.yml"
    exported.write_text(desk.run("export").stdout)
    assert desk.run("diff", str(exported)).exit_code == 0
    one = desk.run("export", "nightly").stdout
    assert "nightly" in one
    assert "prices" in one
    assert "price-index" not in one
    assert desk.run("export", "nobody").exit_code == 1


def test_a_check_tells_all_problems_of_all_files_with_their_lines(desk: Desk, files: Path) -> None:
    (files / "bad.yaml").write_text(
        "jobs:\n  - {name: UPPER, impl_spec: prices}\n  - {name: b, impl_spec: prices, cron: '61 * * * *'}\n"
    )
    for command in ("check", "apply"):
        done = desk.run(command, str(files))
        lines = done.stderr.splitlines()
        assert (done.exit_code, done.stdout, len(lines)) == (1, "", 2), done.stderr
        assert "bad.yaml:2:" in lines[0]
        assert "bad.yaml:3:" in lines[1]
    assert desk.json("jobs") == []


def test_a_check_of_valid_files_counts_them(desk: Desk, files: Path) -> None:
    assert desk.run("check", str(files)).stdout == "1 ImplSpec and 2 jobs are valid.\n"


def test_a_job_of_an_unknown_implementation_is_noted_by_check_and_refused_by_apply(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "jobs.yaml").write_text("jobs:\n  - {name: lonely, impl_spec: nowhere}\n")
    done = desk.run("check", str(tmp_path))
    assert (done.exit_code, "impl_spec nowhere" in done.stderr) == (0, True)
    refused = desk.run("apply", str(tmp_path))
    assert (refused.exit_code, "impl_spec nowhere" in refused.stderr) == (1, True)


def test_an_entrypoint_outside_the_allowed_modules_is_noted(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "impl.yaml").write_text(
        "impls:\n  - {name: other, kind: python, entrypoint: 'others.tasks:Task'}\n"
    )
    assert "others.tasks:Task is outside tasks.allowed_modules" in desk.run("check", str(tmp_path)).stderr


def test_without_files_the_folder_jobspecs_is_meant(
    desk: Desk, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert desk.run("check").exit_code == 2
    (tmp_path / "jobspecs").mkdir()
    (files / "jobs.yaml").rename(tmp_path / "jobspecs" / "jobs.yaml")
    assert desk.run("check").exit_code == 0
