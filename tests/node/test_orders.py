"""A launch becomes an order, and what workers tell becomes what the planner is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shardkeeper.domain.attempts import Claimed, RunHead
from shardkeeper.domain.planner.actions import Launch
from shardkeeper.domain.planner.events import AttemptBegan, AttemptOver, AttemptsOver, CapacityChanged, Event
from shardkeeper.domain.runs import AttemptKey, AttemptStatus, Phase, TriggerKind
from shardkeeper.domain.specs import ImplSpec, ImplVersion, Isolation, JobSpec, JobVersion, Kind, SourceData
from shardkeeper.node.orders import OrderLimits, OrderWriter, events_of
from shardkeeper.ports.workers import (
    AttemptCheckpointed,
    AttemptEnded,
    AttemptOrder,
    AttemptProgressed,
    AttemptReturned,
    AttemptStarted,
    EndedValue,
    Ending,
    EndingStatus,
    EntrypointChecked,
    WorkerEvent,
    WorkersChanged,
    WorkersSaid,
)
from shardkeeper.task import ShardContext
from shardkeeper.workers.script import _variables  # the names that scripts see

FIRE = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
KEY = AttemptKey(17, FIRE, 1, 2)
AT = datetime(2026, 11, 21, 3, 0, 1, tzinfo=UTC)


def launch(**columns: Any) -> Launch:
    """Item 1 of 3, the second try, of a job with these columns."""
    run = RunHead("price-index", TriggerKind.SCHEDULE, 5, 6, 3, {"day": "run", "nested": {"run": 1}})
    spec: dict[str, Any] = {
        "name": "price-index",
        "impl_spec": "feeds",
        "sharding_total_count": 9,
        "sharding_item_parameters": {"0": "seoul", "1": "busan"},
        "parameters": {"day": "job", "low": 2, "nested": {"job": 1}},
    }
    impl = ImplSpec("feeds", Kind.PYTHON, "acme.prices:Index", {"day": "impl", "low": 1, "high": 3})
    claimed = Claimed(KEY, 4, run, {"done": 7}, tries=1, takeovers=0)
    sources = (SourceData("alpha", 5.0, "https://feeds/alpha", {"limit": 3}),)
    return Launch(
        claimed, JobVersion(JobSpec(**(spec | columns)), 5, FIRE), ImplVersion(impl, sources, 6), sources
    )


def order(given: Launch | None = None) -> AttemptOrder:
    return OrderWriter("node-a", OrderLimits()).order_of(given or launch())


def test_parameters_are_those_of_impl_job_and_run_and_the_later_wins_key_by_key() -> None:
    assert order().context["parameters"] == {"day": "run", "low": 2, "high": 3, "nested": {"run": 1}}


def test_the_context_is_json_with_the_fields_of_the_contract_and_no_others() -> None:
    context = json.loads(json.dumps(order().context))
    assert context == {
        "job_name": "price-index",
        "run_id": 17,
        "run_name": "price-index@2026-11-21T03:00:00Z",
        "fire_time": "2026-11-21T03:00:00+00:00",
        "item": 1,
        "sharding_total_count": 3,  # the run's: the job's own may have changed, and each_node's is ignored
        "item_parameter": "busan",
        "parameters": {"day": "run", "low": 2, "high": 3, "nested": {"run": 1}},
        "sources": [
            {"key": "alpha", "weight": 5.0, "location": "https://feeds/alpha", "parameters": {"limit": 3}}
        ],
        "attempt": 2,
        "node_id": "node-a",
        "checkpoint": {"done": 7},
    }


def test_a_task_finds_in_its_context_what_was_ordered() -> None:
    class Host:
        cancelled = save_checkpoint = progress = None

    context: Any = ShardContext(order().context, None, Host())  # type: ignore[arg-type]
    assert (context.fire_time, context.run_name, context.attempt) == (
        FIRE,
        "price-index@2026-11-21T03:00:00Z",
        2,
    )
    assert (context.sources[0].key, context.checkpoint) == ("alpha", {"done": 7})


def test_scripts_see_the_same_names() -> None:
    assert set(_variables(order().context)) == {f"SHARDKEEPER_{name.upper()}" for name in order().context}


def test_an_item_without_a_parameter_has_none_and_a_first_attempt_an_empty_checkpoint() -> None:
    given = launch(sharding_item_parameters={"0": "seoul"})
    bare = Launch(Claimed(KEY, 4, given.claimed.run, None, 0, 0), given.job, given.impl, ())
    context = order(bare).context
    assert ("item_parameter" in context, context["checkpoint"], context["sources"]) == (False, {}, [])


def test_an_order_runs_the_pinned_versions_under_their_limits() -> None:
    given = launch(timeout=timedelta(minutes=2), phase_timeouts={"initialize": timedelta(seconds=1.5)})
    made = OrderWriter("node-a", OrderLimits(memory_bytes=1024, result_bytes=99)).order_of(given)
    assert (made.key, made.claim_no) == (KEY, 4)
    assert (made.kind, made.entrypoint, made.isolation) == ("python", "acme.prices:Index", "process")
    assert (made.timeout_s, made.phase_timeouts_s) == (120.0, {"initialize": 1.5})
    assert (made.memory_limit_bytes, made.result_limit_bytes) == (1024, 99)


def test_no_timeout_is_no_limit_and_threads_are_asked_for_as_such() -> None:
    given = launch(timeout=None)
    impl = ImplSpec("feeds", Kind.HTTP, "https://host/x", isolation=Isolation.THREAD)
    made = order(Launch(given.claimed, given.job, ImplVersion(impl, (), 6), ()))
    assert (made.timeout_s, made.kind, made.isolation) == (None, "http", "thread")


def over(ending: Ending) -> AttemptOver:
    return only(AttemptEnded(KEY, 4, ending))


def only(told: WorkerEvent) -> AttemptOver:
    """The one attempt that the planner is told is over."""
    (event,) = heard(told)
    assert isinstance(event, AttemptsOver)
    (found,) = event.ended
    return found


def heard(*told: WorkerEvent) -> list[Event]:
    return events_of(WorkersSaid(told), 4)


@pytest.mark.parametrize("status", [one for one in EndingStatus if one is not EndingStatus.RETRY_LATER])
def test_an_ending_keeps_its_status_and_its_claim(status: EndingStatus) -> None:
    outcome = over(Ending(status)).outcome
    assert (outcome.key, outcome.claim_no, outcome.status.value) == (KEY, 4, status.value)


def test_everything_that_an_ending_tells_is_recorded() -> None:
    told = Ending(
        EndingStatus.FAILED, Phase.VALIDATE, FIRE, AT, 1.0, 2.0, 3.0,
        refused_values=(EndedValue("k", {"v": 1}, 2.0),), error_type="ValidationError", error_message="too high",
        traceback="trace", log="log", code_version="abc",
    )  # fmt: skip
    outcome = over(told).outcome
    same = (
        "phase", "started_at", "finished_at", "initialize_ms", "calculate_ms", "validate_ms", "result", "error_type",
        "error_message", "traceback", "log", "code_version",
    )  # fmt: skip
    assert {name: getattr(outcome, name) for name in same} == {name: getattr(told, name) for name in same}
    assert [(one.key, one.value, one.weight) for one in outcome.refused_values] == [("k", {"v": 1}, 2.0)]
    assert outcome.values == ()


def test_values_and_result_go_where_they_belong() -> None:
    outcome = over(Ending(EndingStatus.COMPLETED, result=[1], values=(EndedValue("k", 1, 1.0),))).outcome
    assert (outcome.result, [one.key for one in outcome.values]) == ([1], ["k"])


def test_a_task_that_wants_to_be_tried_later_goes_back_for_as_long() -> None:
    found = over(Ending(EndingStatus.RETRY_LATER, delay_s=30.0))
    assert (found.outcome.status, found.outcome.delay_s) == (AttemptStatus.PENDING, 30.0)
    assert found.declined is None


def test_what_cannot_be_run_here_is_declined_with_the_reason() -> None:
    assert over(Ending(EndingStatus.FAILED, error_message="no module", decline=True)).declined == "no module"
    assert over(Ending(EndingStatus.FAILED, decline=True)).declined
    assert over(Ending(EndingStatus.FAILED, error_message="no module")).declined is None


def test_what_never_began_goes_back() -> None:
    found = only(AttemptReturned(KEY, 4, "workers are closing"))
    assert (found.outcome.status, found.outcome.claim_no) == (AttemptStatus.PENDING, 4)


def test_what_runs_is_reported_as_it_goes() -> None:
    told = heard(
        AttemptStarted(KEY, 4, AT, "abc"),
        AttemptProgressed(KEY, 4, Phase.CALCULATE, 0.5, "half"),
        AttemptCheckpointed(KEY, 4, {"done": 8}),
    )
    reports = [found.report for found in told if isinstance(found, AttemptBegan)]
    started, progressed, checkpointed = reports
    assert (started.started_at, started.phase, started.code_version) == (AT, Phase.INITIALIZE, "abc")
    assert (progressed.phase, progressed.fraction, progressed.message) == (Phase.CALCULATE, 0.5, "half")
    assert (checkpointed.checkpoint, checkpointed.phase) == ({"done": 8}, None)
    assert {(one.key, one.claim_no) for one in reports} == {(KEY, 4)}


def test_what_concerns_no_attempt_is_no_event() -> None:
    assert heard(EntrypointChecked("a:B", "python", None)) == []


def test_workers_that_cannot_be_kept_alive_make_the_node_unfit() -> None:
    assert heard(WorkersChanged(4, 4, 0)) == [CapacityChanged(4, fit=True)]
    assert heard(WorkersChanged(0, 4, 9, "no memory")) == [CapacityChanged(4, False, "no memory")]


def test_those_that_end_together_are_told_together_and_in_their_order() -> None:
    keys = [AttemptKey(number, FIRE, 0, 1) for number in range(3)]
    events = heard(
        AttemptEnded(keys[0], 1, Ending(EndingStatus.COMPLETED)),
        AttemptReturned(keys[1], 1, "workers are closing"),
        AttemptCheckpointed(KEY, 4, {"done": 8}),
        AttemptEnded(keys[2], 1, Ending(EndingStatus.FAILED)),
    )
    ended = [[one.outcome.key for one in event.ended] for event in events if isinstance(event, AttemptsOver)]
    assert ended == [keys[:2], keys[2:]]
    assert isinstance(events[1], AttemptBegan)
