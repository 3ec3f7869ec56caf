"""Judging specs: every fault has its problem, with the field, the value, the reason and a mend."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shardkeeper.domain.specs import ImplSpec, JobSpec, Kind, Misfire, SourceData, Strategy
from shardkeeper.domain.validation import Limits, impl_problems, job_problems, module_allowed, source_problems
from shardkeeper.domain.validation.jobs import FIELDS

GOOD = JobSpec("price-index", "prices", cron="*/5 * * * *")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAN, INF = float("nan"), float("inf")


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_good_specs_have_no_problems() -> None:
    rich = replace(
        GOOD,
        sharding_total_count=3,
        sharding_item_parameters={"0": "서울", "2": "busan"},
        phase_timeouts={"initialize": timedelta(seconds=30)},
        alert={
            "on": ["failed", "late"],
            "channel": "#x",
            "mention": "@team",
            "after": 1,
            "runbook_url": "https://x/y",
        },
        labels={"team/name": "prices", "a": ""},
        node_selector={"zone": "a"},
        parameters={"a": [1, 2.5, None, {"b": True}]},
        description="first line\n\tsecond",
        starts_at=NOON,
        ends_at=NOON + timedelta(days=1),
        retry_delay=timedelta(0),
        misfire_grace=timedelta(0),
    )
    assert job_problems(GOOD) == []
    assert job_problems(rich) == []
    assert job_problems(JobSpec("on-demand", "prices")) == []


def test_what_a_row_leaves_out_is_right_whatever_the_limits_are() -> None:
    """Rows of versions have only what differs from the defaults, and nothing else of them is judged."""
    tightest = Limits(max_items_per_second=1e-9, max_parameters_bytes=0)
    assert job_problems(JobSpec("on-demand", "prices"), tightest, given=FIELDS) == []
    assert set(FIELDS) <= {field.name for field in fields(JobSpec)}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[
            ("name", name)
            for name in [
                "",
                "A",
                "a/b",
                "..",
                "-a",
                ".a",
                "a\n",
                "a'b",
                'a"',
                "\x1b[31m",
                "a" * 101,
                "a" * 10_000,
                "가",
                "a b",
            ]
        ],
        ("impl_spec", "No"),
        ("cron", "61 * * * *"),
        ("cron", "0 0 30 2 *"),
        ("cron", ""),
        ("sharding_total_count", 0),
        ("sharding_total_count", -1),
        ("sharding_total_count", 10_000_000),
        ("sharding_item_parameters", {"1": "beyond"}),
        ("sharding_item_parameters", {"00": "twin"}),
        ("sharding_item_parameters", {"-1": "x"}),
        ("sharding_item_parameters", {"٣": "x"}),
        ("sharding_item_parameters", {"9" * 9999: "x"}),
        ("sharding_item_parameters", {"0": "\x1b[31m"}),
        ("parameters", {"a": NAN}),
        ("parameters", {"a": [INF]}),
        ("parameters", {"a": "\x00"}),
        ("parameters", {"\x00": 1}),
        ("parameters", {"a": "\ud800"}),
        ("parameters", {"a": 10**400}),
        ("parameters", {"a": {1: 2}}),
        ("parameters", {"a": {1, 2}}),
        ("parameters", {"a": NOON}),
        ("parameters", {"a": deep(100)}),
        ("parameters", {"a": "x" * 1_000_001}),
        ("misfire_grace", timedelta(seconds=-1)),
        ("misfire_grace", timedelta(days=40_000)),
        ("catch_up_limit", 0),
        ("catch_up_limit", 10_001),
        ("max_attempts", 0),
        ("max_takeovers", -1),
        ("retry_delay", timedelta(seconds=-1)),
        ("retry_max_delay", timedelta(days=366)),
        ("retry_backoff", 0.5),
        ("retry_backoff", NAN),
        ("retry_backoff", INF),
        ("timeout", timedelta(0)),
        ("timeout", timedelta(seconds=-1)),
        ("late_after", timedelta(0)),
        ("finish_within", timedelta(days=4000)),
        ("phase_timeouts", {"init": timedelta(seconds=1)}),
        ("phase_timeouts", {"calculate": timedelta(0)}),
        ("priority", 101),
        ("priority", -101),
        ("node_selector", {"": "x"}),
        ("node_selector", {"a b": "x"}),
        ("labels", {"a": "\n"}),
        ("labels", {"a": "x" * 201}),
        ("labels", {f"l{n}": "" for n in range(101)}),
        ("owner", "\x1b[0m"),
        ("owner", "a\nb"),
        ("owner", "x" * 201),
        ("description", "x" * 10_001),
        ("description", "\u202eturned around"),
        ("starts_at", datetime(1969, 1, 1, tzinfo=UTC)),
        ("ends_at", datetime(9999, 12, 31, tzinfo=UTC)),
    ],
)
def test_a_fault_is_found_and_only_its_field_is_named(field: str, value: Any) -> None:
    problems = job_problems(replace(GOOD, **{field: value}))
    assert {found.field for found in problems} == {field}
    for found in problems:
        assert found.reason
        assert found.mend
        assert str(found).isprintable()
        assert len(str(found)) < 500


def test_misfire_all_may_not_ask_for_more_items_than_a_sweep_can_insert_at_once() -> None:
    job = replace(GOOD, misfire=Misfire.ALL, sharding_total_count=1000, sharding_item_parameters={})
    assert job_problems(replace(job, catch_up_limit=100)) == []
    (found,) = job_problems(replace(job, catch_up_limit=101))
    assert (found.field, found.mend) == ("catch_up_limit", "write at most 100")
    assert job_problems(replace(job, catch_up_limit=101, misfire=Misfire.ONCE)) == []


@pytest.mark.parametrize(
    ("alert", "field"),
    [
        ({"chanel": "#x"}, "alert"),
        ({"on": "failed"}, "alert.on"),
        ({"on": ["sometimes"]}, "alert.on"),
        ({"on": [{}]}, "alert.on"),
        ({"after": 0}, "alert.after"),
        ({"after": True}, "alert.after"),
        ({"after": "1"}, "alert.after"),
        ({"channel": 7}, "alert.channel"),
        ({"channel": ""}, "alert.channel"),
        ({"mention": "a\nb"}, "alert.mention"),
        ({"runbook_url": "javascript:alert(1)"}, "alert.runbook_url"),
    ],
)
def test_a_fault_in_alert_names_its_key(alert: dict[str, Any], field: str) -> None:
    assert [found.field for found in job_problems(replace(GOOD, alert=alert))] == [field]


def test_more_than_one_schedule_is_refused() -> None:
    (found,) = job_problems(replace(GOOD, every=timedelta(hours=1)))
    assert "more than one" in found.reason
    assert len(job_problems(replace(GOOD, cron=None, every=timedelta(hours=1), run_at=NOON))) == 1


@pytest.mark.parametrize("every", [timedelta(0), timedelta(seconds=-1), timedelta(days=40_000)])
def test_an_interval_must_be_positive_and_bounded(every: timedelta) -> None:
    assert [found.field for found in job_problems(replace(GOOD, cron=None, every=every))] == ["every"]


@pytest.mark.parametrize(
    "spec",
    [
        replace(GOOD, starts_at=NOON, ends_at=NOON),
        replace(GOOD, starts_at=NOON + timedelta(days=1), ends_at=NOON),
        replace(GOOD, cron="0 3 * * *", starts_at=NOON, ends_at=NOON + timedelta(hours=1)),
        replace(GOOD, cron=None, run_at=NOON, starts_at=NOON + timedelta(hours=1)),
        replace(GOOD, cron=None, run_at=NOON, ends_at=NOON - timedelta(hours=1)),
        replace(GOOD, cron=None, every=timedelta(days=1), starts_at=NOON, ends_at=NOON + timedelta(hours=1)),
    ],
)
def test_bounds_between_which_nothing_is_due_are_refused(spec: JobSpec) -> None:
    assert len(job_problems(spec)) == 1


def test_items_per_second_are_limited_and_the_limit_is_named() -> None:
    spec = replace(GOOD, cron=None, every=timedelta(milliseconds=10), sharding_total_count=11)
    (found,) = job_problems(spec)
    assert "1100 items per second" in found.reason
    assert "max_items_per_second is 1000" in found.reason
    assert job_problems(replace(spec, sharding_total_count=10)) == []
    assert job_problems(spec, Limits(max_items_per_second=1100)) == []
    assert job_problems(replace(GOOD, cron="* * * * * *", sharding_total_count=1001))
    assert job_problems(replace(GOOD, cron="* * * * *", sharding_total_count=10_000)) == []


def test_a_job_for_each_node_may_name_items_beyond_its_own_count() -> None:
    spec = replace(GOOD, sharding_strategy=Strategy.EACH_NODE, sharding_item_parameters={"7": "x"})
    assert job_problems(spec) == []


def test_all_problems_come_at_once() -> None:
    bad = replace(
        GOOD, name="A", cron="x", priority=500, labels={"a b": ""}, alert={"on": 1}, timeout=timedelta(0)
    )
    assert {p.field for p in job_problems(bad)} == {
        "name",
        "cron",
        "priority",
        "labels",
        "alert.on",
        "timeout",
    }


@pytest.mark.parametrize(
    ("kind", "entrypoint"),
    [
        (Kind.PYTHON, "acme.prices:PriceIndex"),
        (Kind.PYTHON, "prices:_P2"),
        (Kind.SCRIPT, "backup.sh"),
        (Kind.HTTP, "http://localhost:8080/x?y=1"),
        (Kind.HTTP, "https://[::1]/"),
    ],
)
def test_good_entrypoints_are_taken(kind: Kind, entrypoint: str) -> None:
    assert impl_problems(ImplSpec("impl", kind, entrypoint)) == []


@pytest.mark.parametrize(
    ("kind", "entrypoint"),
    [
        *[
            (Kind.PYTHON, text)
            for text in [
                "",
                "os.system",
                "a:b.c",
                "a:__class__",
                "a.__init__:B",
                "a:",
                ":B",
                "a b:C",
                "a:B\n",
                "../a:B",
                "a:B()",
            ]
        ],
        *[
            (Kind.SCRIPT, text)
            for text in ["", "a/b", "..", "../x", "a..b/", "-rf", ".hidden", "a b", "a;b", "x" * 300]
        ],
        *[
            (Kind.HTTP, text)
            for text in [
                "",
                "ftp://x",
                "file:///etc/passwd",
                "http://",
                "http:///x",
                "//x",
                "http://x y",
                "http://x:0",
                "http://x:99999",
            ]
        ],
        (Kind.PYTHON, "a" * 3000 + ":B"),
    ],
)
def test_bad_entrypoints_are_refused(kind: Kind, entrypoint: str) -> None:
    assert [p.field for p in impl_problems(ImplSpec("impl", kind, entrypoint))] == ["entrypoint"]


@pytest.mark.parametrize(
    ("kind", "entrypoint", "parameters", "field"),
    [
        (Kind.SCRIPT, "x", {"args": "-a"}, "parameters.args"),
        (Kind.SCRIPT, "x", {"args": [1]}, "parameters.args"),
        (Kind.HTTP, "http://x", {"method": "BREW"}, "parameters.method"),
        (Kind.HTTP, "http://x", {"method": ["GET"]}, "parameters.method"),
        (Kind.HTTP, "http://x", {"headers": {"A": "b\r\nC: d"}}, "parameters.headers"),
        (Kind.HTTP, "http://x", {"headers": {"A b": "c"}}, "parameters.headers"),
    ],
)
def test_parameters_that_the_kind_reads_are_judged(
    kind: Kind, entrypoint: str, parameters: dict[str, Any], field: str
) -> None:
    assert [p.field for p in impl_problems(ImplSpec("impl", kind, entrypoint, parameters))] == [field]
    assert impl_problems(ImplSpec("impl", Kind.PYTHON, "a:B", parameters)) == []


@pytest.mark.parametrize(
    ("source", "field"),
    [
        (SourceData(""), "key"),
        (SourceData("k" * 201), "key"),
        (SourceData("k", weight=0), "weight"),
        (SourceData("k", weight=-1), "weight"),
        (SourceData("k", weight=NAN), "weight"),
        (SourceData("k", weight=INF), "weight"),
        (SourceData("k", location="a\x00"), "location"),
        (SourceData("k", parameters={"a": NAN}), "parameters"),
    ],
)
def test_a_fault_in_a_source_is_found(source: SourceData, field: str) -> None:
    assert [p.field for p in source_problems(source)] == [field]


def test_sources_of_an_impl_are_judged_with_it_and_keys_are_unique() -> None:
    problems = impl_problems(
        ImplSpec("impl", Kind.PYTHON, "a:B"), [SourceData("k"), SourceData("k", weight=-1)]
    )
    assert [p.field for p in problems] == ["weight", "key"]


@pytest.mark.parametrize(
    ("entrypoint", "prefixes", "allowed"),
    [
        ("acme.jobs:A", ["acme.jobs"], True),
        ("acme.jobs.price:A", ["acme.jobs"], True),
        ("acme.jobs.price:A", ["other", "acme"], True),
        ("acme.jobs_old:A", ["acme.jobs"], False),
        ("acme:A", ["acme.jobs"], False),
        ("os:system", [], False),
        ("os:system", [""], False),
        ("acme.__main__:A", ["acme"], False),
        ("acme:__class__", ["acme"], False),
        ("acme", ["acme"], False),
        ("shardkeeper.tasks:Sleep", [], True),
        ("shardkeeper.tasks.http:Get", [], True),
        ("shardkeeper.tasks_evil:Get", [], False),
        ("shardkeeper.node:Node", [], False),
    ],
)
def test_allowed_modules_match_whole_parts_between_dots(
    entrypoint: str, prefixes: list[str], allowed: bool
) -> None:
    assert module_allowed(entrypoint, prefixes) is allowed
