"""Rows as PostgreSQL gives them, into specs and back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.errors import SpecInvalid, UnknownSpec
from shardkeeper.domain.frozen import EMPTY, frozen
from shardkeeper.domain.specs import (
    ImplSpec,
    Isolation,
    JobSpec,
    Kind,
    Misfire,
    Overlap,
    SourceData,
    Strategy,
)
from shardkeeper.domain.validation import (
    parse_impl_row,
    parse_job_row,
    parse_source_row,
    read_impl_row,
    read_job_row,
    row_of,
)

# what to_jsonb(row) gives for an INSERT of nothing but a name, an ImplSpec and a schedule
ROW: dict[str, Any] = json.loads("""{
  "name": "price-index", "impl_spec": "prices", "cron": "*/5 * * * *", "every": null, "run_at": null,
  "starts_at": null, "ends_at": null, "sharding_total_count": 1, "sharding_item_parameters": {},
  "sharding_strategy": "balanced", "parameters": {}, "misfire": "once", "misfire_grace": "1 day",
  "catch_up_limit": 100, "overlap": "skip", "failover": true, "on_lease_loss": "continue", "max_attempts": 1,
  "max_takeovers": 3, "retry_delay": "00:00:10", "retry_backoff": 2, "retry_max_delay": "01:00:00",
  "timeout": "01:00:00", "phase_timeouts": {}, "late_after": null, "finish_within": null, "priority": 0,
  "node_selector": {}, "alert": {}, "labels": {}, "owner": null, "description": null, "enabled": true, "version": 7}
""")


def fields_refused(row: dict[str, Any]) -> set[str]:
    with pytest.raises(SpecInvalid) as caught:
        parse_job_row(row)
    return {found.field for found in caught.value.problems}


def test_a_row_of_defaults_is_the_spec_of_defaults() -> None:
    spec = parse_job_row(ROW)
    assert spec == JobSpec("price-index", "prices", cron="*/5 * * * *")
    assert spec.labels is EMPTY


def test_a_row_may_leave_out_what_has_a_default() -> None:
    assert parse_job_row({"name": "a", "impl_spec": "b"}) == JobSpec("a", "b")
    assert parse_impl_row({"name": "a", "entrypoint": "b:C"}) == ImplSpec("a", Kind.PYTHON, "b:C")
    assert parse_source_row({"key": "a", "impl_spec": "b"}) == SourceData("a")


def test_every_kind_of_column_is_read() -> None:
    spec = parse_job_row(
        ROW
        | {
            "cron": None,
            "every": "1 day 02:03:04.5",
            "starts_at": "2026-11-21T12:00:00+09:00",
            "ends_at": "2027-11-21T03:00:00.5Z",
            "sharding_strategy": "each_node",
            "phase_timeouts": {"initialize": "30 s"},
            "retry_backoff": 1.5,
            "timeout": None,
            "enabled": False,
            "labels": {"team": "x"},
        }
    )
    assert spec.every == timedelta(days=1, hours=2, minutes=3, seconds=4.5)
    assert spec.starts_at == datetime(2026, 11, 21, 3, tzinfo=UTC)
    assert spec.starts_at.tzinfo is UTC
    assert spec.ends_at == datetime(2027, 11, 21, 3, 0, 0, 500_000, tzinfo=UTC)
    assert spec.sharding_strategy is Strategy.EACH_NODE
    assert spec.phase_timeouts == {"initialize": timedelta(seconds=30)}
    assert (spec.retry_backoff, spec.timeout, spec.enabled, spec.labels) == (1.5, None, False, {"team": "x"})


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", None),
        ("name", 7),
        ("every", "1 mon"),
        ("every", 5),
        ("starts_at", "tomorrow"),
        ("starts_at", "2026-11-21T03:00:00"),
        ("starts_at", "infinity"),
        ("starts_at", "0001-01-01T00:00:00+14:00"),
        ("starts_at", 1_795_230_000),
        ("sharding_total_count", 1.5),
        ("sharding_total_count", "3"),
        ("sharding_total_count", True),
        ("sharding_total_count", None),
        ("sharding_item_parameters", {"0": 1}),
        ("sharding_item_parameters", ["a"]),
        ("parameters", "x"),
        ("parameters", {1: "x"}),
        ("misfire", None),
        ("misfire", 7),
        ("misfire_grace", None),
        ("retry_backoff", "NaN"),
        ("retry_backoff", True),
        ("retry_backoff", 10**400),
        ("phase_timeouts", {"calculate": "1 mon"}),
        ("phase_timeouts", {"calculate": 30}),
        ("labels", None),
        ("enabled", "yes"),
        ("enabled", 1),
        ("owner", 7),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_its_column(column: str, value: Any) -> None:
    assert fields_refused(ROW | {column: value}) == {column}


def test_wrong_types_and_wrong_values_are_told_together() -> None:
    row = {"impl_spec": "prices", "cron": "x", "priority": "high", "max_attempts": 0, "timeout": "-1 s"}
    assert fields_refused(row) == {"name", "cron", "priority", "max_attempts", "timeout"}


def test_types_alone_are_judged_without_limits() -> None:
    assert parse_job_row(ROW | {"priority": 5000}, None).priority == 5000
    with pytest.raises(SpecInvalid):
        parse_job_row(ROW | {"priority": "x"}, None)


@pytest.mark.parametrize(
    "more", [{"shelf": "gpu"}, {"misfire": "sometimes"}, {"overlap": "wait"}, {"quota": 0}]
)
def test_what_a_newer_version_may_know_is_unknown_and_not_invalid(more: dict[str, Any]) -> None:
    with pytest.raises(UnknownSpec):
        parse_job_row(ROW | more | {"cron": "also wrong"})


@pytest.mark.parametrize("unused", [None, {}, [], ""])
def test_a_new_column_that_is_not_used_does_no_harm(unused: Any) -> None:
    assert parse_job_row(ROW | {"shelf": unused}) == parse_job_row(ROW)


def test_an_unknown_kind_or_isolation_is_unknown_too() -> None:
    for more in ({"kind": "wasm"}, {"isolation": "vm"}):
        with pytest.raises(UnknownSpec):
            parse_impl_row({"name": "a", "entrypoint": "b:C"} | more)


def test_an_impl_with_a_wrong_kind_and_name_tells_both() -> None:
    reading = read_impl_row({"name": "A", "kind": 7, "entrypoint": 7}, None)
    assert {found.field for found in reading.problems} == {"kind", "entrypoint"}


def test_a_numeric_weight_is_read_and_nan_is_refused() -> None:
    assert parse_source_row({"key": "a", "weight": 3}).weight == 3.0
    with pytest.raises(SpecInvalid):
        parse_source_row({"key": "a", "weight": "NaN"})


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
                    max_leaves=6)  # fmt: skip


@given(st.dictionaries(st.sampled_from(sorted(ROW)), JSON, max_size=4))
def test_reading_never_fails_whatever_a_row_holds(changes: dict[str, Any]) -> None:
    reading = read_job_row(ROW | changes, None)
    assert reading.spec is not None or reading.problems
    try:
        parse_job_row(ROW | changes)
    except (SpecInvalid, UnknownSpec) as refusal:
        text = str(refusal)
        assert text.isprintable()


DURATIONS = st.timedeltas(timedelta(microseconds=1), timedelta(days=300))
SPECS = st.builds(
    lambda every, starts, grace, phases, misfire, overlap, parameters: JobSpec(
        "job",
        "impl",
        every=every,
        starts_at=starts,
        misfire_grace=grace,
        phase_timeouts=frozen(phases),
        misfire=misfire,
        overlap=overlap,
        parameters=frozen(parameters),
    ),
    DURATIONS,
    st.none() | st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    DURATIONS,
    st.dictionaries(st.sampled_from(["initialize", "calculate"]), DURATIONS),
    st.sampled_from(Misfire),
    st.sampled_from(Overlap),
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
)


@given(SPECS)
def test_a_spec_survives_the_way_through_json(spec: JobSpec) -> None:
    assert parse_job_row(json.loads(json.dumps(row_of(spec))), None) == spec


def test_impls_and_sources_survive_the_way_through_json() -> None:
    impl = ImplSpec("a", Kind.HTTP, "http://x", frozen({"method": "GET"}), Isolation.THREAD, "d")
    source = SourceData("k", 2.5, "s3://x", frozen({"a": 1}), enabled=False)
    assert parse_impl_row(json.loads(json.dumps(row_of(impl)))) == impl
    assert parse_source_row(json.loads(json.dumps(row_of(source)))) == source
    assert replace(impl, description=None) != impl
