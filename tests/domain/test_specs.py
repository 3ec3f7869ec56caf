"""Specs: the contract's defaults, and values that stay small and travel."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from shardkeeper.domain.errors import SpecInvalid, UnknownSpec, Unreachable, ValueInvalid
from shardkeeper.domain.frozen import EMPTY, FrozenMap, frozen
from shardkeeper.domain.problems import problem
from shardkeeper.domain.specs import JobSpec, Strategy


def test_the_defaults_are_those_of_the_contract() -> None:
    spec = JobSpec("job", "impl")
    given = {f.name: getattr(spec, f.name) for f in fields(spec)}
    assert given == {
        "name": "job",
        "impl_spec": "impl",
        **dict.fromkeys(["cron", "every", "run_at", "starts_at", "ends_at"]),
        "sharding_total_count": 1,
        "sharding_strategy": "balanced",
        **{
            name: {} for name in ("sharding_item_parameters", "parameters", "phase_timeouts", "node_selector")
        },
        **{name: {} for name in ("alert", "labels")},
        "misfire": "once",
        "misfire_grace": timedelta(days=1),
        "catch_up_limit": 100,
        "overlap": "skip",
        "failover": True,
        "on_lease_loss": "continue",
        "max_attempts": 1,
        "max_takeovers": 3,
        "retry_delay": timedelta(seconds=10),
        "retry_backoff": 2.0,
        "retry_max_delay": timedelta(hours=1),
        "timeout": timedelta(hours=1),
        "late_after": None,
        "finish_within": None,
        "priority": 0,
        "pool": None,
        "max_running": None,
        "concurrency_key": None,
        "max_running_per_key": 1,
        "rate_limit": None,
        "rate_period": timedelta(seconds=1),
        "follows": {},
        "retry_on": (),
        "give_up_on": (),
        "retention": None,
        "parameters_schema": None,
        "parameters_limit": 1_000_000,
        "owner": None,
        "description": None,
        "enabled": True,
    }


def test_a_spec_can_be_a_key_and_travel_through_pickle_and_copy() -> None:
    spec = JobSpec("job", "impl", parameters=frozen({"deep": [1, {"a": None}]}), labels=frozen({"team": "x"}))
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert copy.deepcopy(spec) == spec
    assert len({spec, copy.deepcopy(spec)}) == 1
    assert json.loads(json.dumps(spec.parameters)) == {"deep": [1, {"a": None}]}


def test_a_spec_without_mappings_holds_none_of_its_own() -> None:
    spec = JobSpec("job", "impl")
    assert spec.labels is spec.parameters is spec.alert is EMPTY
    assert frozen({}) is EMPTY
    assert not hasattr(spec, "__dict__")
    assert sys.getsizeof(spec) < 400


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.__setitem__("b", 1),
        lambda m: m.__delitem__("a"),
        lambda m: m.clear(),
        lambda m: m.pop("a"),
        lambda m: m.popitem(),
        lambda m: m.setdefault("b", 1),
        lambda m: m.update(b=1),
        lambda m: m.__ior__({"b": 1}),
    ],
)
def test_a_frozen_mapping_refuses_every_change(change: Any) -> None:
    mapping = FrozenMap({"a": 1})
    with pytest.raises(TypeError, match="cannot be changed"):
        change(mapping)
    assert mapping == {"a": 1}


def test_an_enumeration_is_its_text() -> None:
    assert Strategy("each_node") is Strategy.EACH_NODE
    assert f"{Strategy.EACH_NODE}" == "each_node"
    assert json.dumps(Strategy.EACH_NODE) == '"each_node"'


def test_the_docstring_of_an_error_is_its_message() -> None:
    assert str(Unreachable()) == "A server cannot be reached."
    assert str(Unreachable("PostgreSQL at x:5432")) == "PostgreSQL at x:5432"


def test_errors_survive_a_pipe_between_processes() -> None:
    invalid = pickle.loads(pickle.dumps(SpecInvalid([problem("cron", "x", "why", "how")])))
    assert invalid.problems[0].mend == "how"
    assert pickle.loads(pickle.dumps(UnknownSpec(["pool"]))).unknown == ("pool",)
    assert pickle.loads(pickle.dumps(ValueInvalid("why", "how"))).mend == "how"


def test_a_problem_shows_any_value_as_one_short_printable_line() -> None:
    found = problem("na\nme", "\x1b[31m" + "x" * 10_000 + "\n", "why", "how")
    assert str(found).isprintable()
    assert len(found.value) <= 80
    assert problem("a", {"k": ["v"]}, "why", "how").value == "{'k': ['v']}"
