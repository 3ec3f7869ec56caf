"""Spec files: read as people mean them, all problems of all files at once, and written back."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from shardkeeper.domain.frozen import frozen
from shardkeeper.domain.specs import ImplSpec, JobSpec, Kind, SourceData
from shardkeeper.domain.specset import Change, ImplWithSources, SpecSet, differences
from shardkeeper.domain.validation import row_of
from shardkeeper.specfiles import SpecFilesInvalid, dump_specs, load_spec_files, load_spec_texts
from shardkeeper.specfiles.schema import spec_schema

GOOD = """
impls:
  - name: prices
    entrypoint: acme.prices:PriceIndex
    sources:
      - {key: b, weight: 2, location: "http://x/b"}
      - key: a
jobs:
  - name: price-index
    impl_spec: prices
    every: 01:00:00
    starts_at: 2026-11-21T03:00:00Z
    sharding_total_count: 3
    sharding_item_parameters: {"0": seoul, 1: busan}
    timeout: 5 min
    finish_within: null
    parameters: {when: 2026-11-21, switch: on, ratio: 1.5, deep: [1, {a: null}]}
    alert: {on: [failed], channel: "#x"}
---
jobs:
  - {name: other, impl_spec: prices, cron: "@daily", timeout: null}
"""


def problems_of(**texts: str) -> list[str]:
    with pytest.raises(SpecFilesInvalid) as caught:
        load_spec_texts(texts)
    return [f"{found.file}:{found.line} {found.problem.field}" for found in caught.value.problems]


def test_documents_are_read_as_people_mean_them() -> None:
    specs = load_spec_texts({"a.yaml": GOOD})
    (entry,), (job, other) = specs.impls, specs.jobs
    assert entry.impl == ImplSpec("prices", Kind.PYTHON, "acme.prices:PriceIndex")
    assert entry.sources == (SourceData("a"), SourceData("b", 2.0, "http://x/b"))
    assert job.every == timedelta(hours=1)
    assert job.starts_at == datetime(2026, 11, 21, 3, tzinfo=UTC)
    assert job.sharding_item_parameters == {"0": "seoul", "1": "busan"}
    # YAML 1.1 would make a date and a true of these, and a key True of `on`
    assert job.parameters == {"when": "2026-11-21", "switch": "on", "ratio": 1.5, "deep": [1, {"a": None}]}
    assert job.alert == {"on": ["failed"], "channel": "#x"}
    assert (other.cron, other.timeout) == ("@daily", None)


def test_all_problems_of_all_files_come_at_once_with_their_lines() -> None:
    first = "jobs:\n  - name: A\n    impl_spec: p\n    cron: '61 * * * *'\n    shelf: x\n"
    first += "    alert:\n      chanel: y\nother: 1\n"
    second = "impls:\n  - name: p\n    entrypoint: os.system\n    sources:\n"
    second += "      - key: a\n        weight: -1\n      - 7\n"
    assert problems_of(a=first, b=second, c="jobs: {}", d="- x", e="a: [") == [
        "a:2 name",
        "a:4 cron",
        "a:5 shelf",
        "a:6 alert",
        "a:8 other",
        "b:3 entrypoint",
        "b:6 weight",
        "b:7 file",
        "c:1 jobs",
        "d:1 file",
        "e:2 file",
    ]


def test_a_problem_names_its_spec() -> None:
    with pytest.raises(SpecFilesInvalid, match="a:4: job j: cron"):
        load_spec_texts({"a": "jobs:\n  - name: j\n    impl_spec: p\n    cron: x\n"})


def test_values_of_a_newer_version_are_problems_in_a_file() -> None:
    assert problems_of(a="jobs:\n- {name: j, impl_spec: p, overlap: sometimes}") == ["a:2 overlap"]


def test_names_are_unique_over_all_files() -> None:
    job, impl = "jobs: [{name: j, impl_spec: p}]", "impls: [{name: p, entrypoint: 'a:B'}]"
    assert problems_of(a=job, b=job + "\n" + impl, c=impl) == ["b:1 name", "c:1 name"]
    assert problems_of(a="impls:\n- {name: p, entrypoint: 'a:B', sources: [{key: k}, {key: k}]}") == [
        "a:2 key"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "jobs: [{name: j, name: k, impl_spec: p}]",
        "jobs: !!python/object/apply:os.system [x]",
        "jobs: !!set {a}",
        "jobs: [{name: !!binary aGk=, impl_spec: p}]",
        "? [a]\n: b",
        "\x00",
        "a: b: c",
        "[" * 100 + "]" * 100,
        "[" * 100_000,
        "jobs: [{name: j, impl_spec: p, priority: " + "9" * 5000 + "}]",
    ],
)
def test_what_is_not_plain_yaml_is_one_problem(text: str) -> None:
    assert len(problems_of(a=text)) == 1


def test_aliases_that_unfold_beyond_measure_are_refused() -> None:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]
    (found,) = problems_of(a="\n".join(lines))
    assert found.endswith("file")
    assert len(problems_of(a="a: &a [*a]")) == 1


def test_empty_files_hold_nothing() -> None:
    assert load_spec_texts({"a": "", "b": "---\n", "c": "# only a comment\n"}) == SpecSet()


def test_folders_give_their_yaml_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text("jobs: [{name: b, impl_spec: p}]")
    (tmp_path / "a.yaml").write_text("jobs: [{name: a, impl_spec: p}]")
    (tmp_path / "notes.txt").write_text("not: [yaml")
    assert [job.name for job in load_spec_files([tmp_path]).jobs] == ["a", "b"]


def test_a_file_that_cannot_be_read_is_a_problem_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\xfa")
    (tmp_path / "b.yaml").write_text("jobs: [{name: B, impl_spec: p}]")
    with pytest.raises(SpecFilesInvalid) as caught:
        load_spec_files([tmp_path, tmp_path / "absent.yaml"])
    assert [Path(found.file).name for found in caught.value.problems] == ["a.yaml", "absent.yaml", "b.yaml"]


def test_the_schema_is_sound_and_knows_every_column() -> None:
    schema = spec_schema()
    Draft202012Validator.check_schema(schema)
    for name, kind in (("job", JobSpec), ("source", SourceData)):
        assert list(schema["$defs"][name]["properties"]) == [f.name for f in fields(kind)]
    assert set(schema["$defs"]["impl"]["properties"]) == {f.name for f in fields(ImplSpec)} | {"sources"}


def test_the_defaults_that_the_schema_tells_are_the_specs_own() -> None:
    row = row_of(JobSpec("a", "b"))
    for column, part in spec_schema()["$defs"]["job"]["properties"].items():
        if "default" in part:
            assert part["default"] == row[column], column


def test_what_is_dumped_is_short_and_loads_again() -> None:
    specs = load_spec_texts({"a.yaml": GOOD})
    text = dump_specs(specs)
    assert load_spec_texts({"a": text}) == specs
    assert "misfire" not in text
    assert "every: 1 hour\n" in text
    assert dump_specs(SpecSet()).strip() == "{}"


TRICKY = st.sampled_from(
    ["on", "1:30", "0o17", "017", "1e3", "1.5e3", "null", "~", "", "yes", "2026-11-21", "- a", "a: b", "<<"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | TRICKY | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TRICKY, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(TRICKY, VALUES, max_size=3), st.floats(0.001, 1e6), TRICKY)
def test_any_values_survive_the_way_through_a_file(
    parameters: dict[str, object], weight: float, text: str
) -> None:
    job = JobSpec("j", "p", parameters=frozen(parameters), every=timedelta(seconds=weight), description=text)
    impl = ImplSpec("p", Kind.PYTHON, "a:B", frozen(parameters))
    specs = SpecSet((ImplWithSources(impl, (SourceData("k", weight, location=text),)),), (job,))
    assert load_spec_texts({"a": dump_specs(specs)}) == specs


def test_differences_tell_what_is_added_changed_and_removed() -> None:
    job, impl = JobSpec("j", "p"), ImplSpec("p", Kind.PYTHON, "a:B")
    have = SpecSet((ImplWithSources(impl, (SourceData("k"),)),), (job, JobSpec("old", "p")))
    want = SpecSet(
        (ImplWithSources(impl, (SourceData("k", 2.0),)),), (replace(job, priority=5), JobSpec("new", "p"))
    )
    assert differences(have, have) == []
    found = {(d.what, d.name): d for d in differences(have, want)}
    assert {key: d.change for key, d in found.items()} == {
        ("job", "j"): Change.CHANGED,
        ("job", "new"): Change.ADDED,
        ("job", "old"): Change.REMOVED,
        ("source", "p/k"): Change.CHANGED,
    }
    assert found["job", "j"].fields == {"priority": (0, 5)}
    assert found["source", "p/k"].fields == {"weight": (1.0, 2.0)}
    assert found["job", "new"].fields["name"] == (None, "new")
