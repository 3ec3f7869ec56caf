"""Submitting and waiting, on the twin and on PostgreSQL."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shardkeeper.client import Client, Refused, RunFailed, RunStopped, WaitTimeout
from shardkeeper.domain.errors import NotFound, StoreUnavailable
from shardkeeper.ports.runs import Claimed, Progress, ValueRow
from tests.client.conftest import Office
from tests.contract.story import COMPLETED, FAILED, A


def pull(office: Office) -> list[Claimed]:
    return office.story.world.runs.pull(A, 100, [])


def do_all(office: Office, **columns: Any) -> Callable[[], None]:
    """What nodes do while the client waits: everything, with these columns of an outcome."""

    def work() -> None:
        for held in pull(office):
            office.story.end(held, **columns)

    return work


def test_a_result_is_waited_for(office: Office, client: Client) -> None:
    office.while_waiting = do_all(office, result={"width": 128})
    run = client.submit("thumbnail", {"path": "a.png"}, priority=3)
    assert (run.status, run.result, run.error) == ("CREATED", None, None)
    assert run.wait(timeout=30).result == {"width": 128}
    assert (run.status, run.ended, office.story.row(run.id)["requested_by"]) == ("COMPLETED", True, "ada")
    assert (office.story.row(run.id)["parameters"], office.story.row(run.id)["priority"]) == (
        {"path": "a.png"},
        3,
    )
    assert run.started_at is not None
    assert run.finished_at is not None
    assert repr(run) == f"<Run {run.id} of thumbnail COMPLETED>"


def test_a_failure_carries_the_first_failed_items_error(office: Office, client: Client) -> None:
    office.while_waiting = do_all(
        office, status=FAILED, error_type="ValueError", error_message="no such file"
    )
    run = client.submit("thumbnail")
    with pytest.raises(
        RunFailed, match=f"run {run.id} of thumbnail failed: item 0: ValueError: no such file"
    ) as told:
        run.wait()
    assert (told.value.error, told.value.run_id) == (run.error, run.id)
    again = pickle.loads(pickle.dumps(told.value))
    assert (again.error, str(again)) == (told.value.error, str(told.value))


def test_a_run_that_is_stopped_says_so(office: Office, client: Client) -> None:
    run = client.submit("thumbnail")
    assert run.stop()
    with pytest.raises(RunStopped) as told:
        run.wait()
    assert told.value.status == "STOPPED"
    assert str(pickle.loads(pickle.dumps(told.value))) == str(told.value)
    assert not client.stop(run.id)


def test_waiting_ends_when_its_time_is_over_and_may_go_on(office: Office, client: Client) -> None:
    run = client.submit("thumbnail")
    with pytest.raises(TimeoutError, match=f"run {run.id} is still CREATED after 2 s; it goes on") as told:
        run.wait(timeout=2)
    assert isinstance(told.value, WaitTimeout)
    assert office.mono == pytest.approx(2)
    assert (office.pauses[0], max(office.pauses)) == (0.005, 0.25)
    office.while_waiting = do_all(office)
    assert run.wait(timeout=2).status == "COMPLETED"


def test_many_are_submitted_and_waited_for_together(office: Office, client: Client) -> None:
    office.while_waiting = do_all(office, result="done")
    runs = client.submit_many("thumbnail", [{"path": f"{n}.png"} for n in range(5)])
    assert [office.story.row(run.id)["parameters"]["path"] for run in runs] == [f"{n}.png" for n in range(5)]
    assert [run.result for run in client.wait_all(runs, timeout=30)] == ["done"] * 5
    assert client.wait_all(runs) == runs
    assert client.wait_all([]) == []


def test_the_first_that_did_not_complete_is_told_once_all_have_ended(office: Office, client: Client) -> None:
    runs = client.submit_many("thumbnail", [{}, {}, {}])

    def work() -> None:
        for held in pull(office):
            office.story.end(
                held, FAILED if held.key.run_id == runs[1].id else COMPLETED, error_message="bad"
            )

    office.while_waiting = work
    with pytest.raises(RunFailed, match=f"run {runs[1].id} "):
        client.wait_all(runs)
    assert [run.status for run in client.wait_all(runs, check=False)] == ["COMPLETED", "FAILED", "COMPLETED"]


def test_the_same_key_is_the_same_run(client: Client) -> None:
    first = client.submit("thumbnail", key="a")
    assert client.submit("thumbnail", key="a").id == first.id
    assert client.submit("thumbnail").id != client.submit("thumbnail").id
    assert client.submit_many("thumbnail", [{}, {}], keys=["b", "a"])[1].id == first.id


def test_work_for_later_is_not_done_before(office: Office, client: Client) -> None:
    later = office.story.world.now() + timedelta(hours=1)
    run = client.submit("thumbnail", at=later)
    assert office.story.row(run.id)["fire_time"] == later
    assert pull(office) == []
    naive = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    with pytest.raises(Refused, match="time zone"):
        client.submit("thumbnail", at=naive)


def test_what_is_refused_says_why(client: Client) -> None:
    with pytest.raises(Refused, match="nobody"):
        client.submit("nobody")
    with pytest.raises(Refused, match="priority 101"):
        client.submit("thumbnail", priority=101)
    with pytest.raises(Refused, match="submission 2"):
        client.submit_many("thumbnail", [{}, {}], keys=["a", ""])
    with pytest.raises(NotFound):
        client.run(999_999)
    assert not client.stop(999_999)


def test_any_run_is_found_by_its_id_with_its_values(office: Office, client: Client) -> None:
    office.story.job("index")
    held = office.story.running("index")
    run = client.run(held.key.run_id)
    assert (run.job_name, run.status, run.values) == ("index", "RUNNING", ())
    office.story.end(held, values=(ValueRow("kospi", 2500.5, 2.0),))
    assert [(one.item, one.key, one.value, one.weight) for one in run.values] == [(0, "kospi", 2500.5, 2.0)]
    assert run.values is run.values


def test_progress_is_the_mean_over_the_items(office: Office, client: Client) -> None:
    office.story.job("copy", every=None, sharding_total_count=2)
    run = client.submit("copy")
    assert (run.progress.fraction, run.progress.items) == (0.0, 2)
    first, second = pull(office)
    office.story.world.runs.progress(A, [Progress(second.key, second.claim_no, fraction=0.5, message="half")])
    office.story.end(first)
    found = run.progress
    assert (found.fraction, found.message, found.items_completed) == (0.75, "half", 1)


def test_a_failed_run_runs_again_with_other_parameters(office: Office, client: Client) -> None:
    office.while_waiting = do_all(office, status=FAILED)
    run = client.submit("thumbnail", {"path": "a.png", "width": 1})
    client.wait_all([run], check=False)
    office.while_waiting = do_all(office)
    again = client.rerun(run, {"width": 2}).wait()
    row = office.story.row(again.id)
    assert (row["rerun_of"], row["parameters"]) == (run.id, {"path": "a.png", "width": 2})


class Failing:
    """The office's store, which loses the connection before or after some calls."""

    def __init__(self, office: Office, calls: Mapping[str, list[str]]) -> None:
        self._office, self._calls = office, calls

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._office.story.world.operator, name)
        losses = self._calls.get(name, [])

        def call(*given: Any) -> Any:
            when = losses.pop(0) if losses else None
            if when == "before":
                raise StoreUnavailable
            answer = asked(*given)
            if when == "after":
                raise StoreUnavailable
            return answer

        return call


def over(office: Office, **calls: list[str]) -> Client:
    access = office.access()
    failing: Any = Failing(office, calls)
    return Client.over(lambda: type(access)(failing, access.monotonic, access.pause, access.close), by="ada")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_submission_whose_connection_is_lost_is_made_once(office: Office, when: str) -> None:
    client = over(office, submit=[when])
    run = client.submit("thumbnail")
    assert [held.key.run_id for held in pull(office)] == [run.id]


def test_what_is_not_safe_to_repeat_is_not_repeated(office: Office) -> None:
    client = over(office, submit_many=["after"])
    with pytest.raises(Exception, match="whether it was done is not known"):
        client.submit_many("thumbnail", [{}])
    assert len(pull(office)) == 1
    client = over(office, submit_many=["after"])
    runs = client.submit_many("thumbnail", [{}], keys=["a"])
    assert [held.key.run_id for held in pull(office)] == [run.id for run in runs]


def test_an_outage_while_waiting_only_makes_the_wait_longer(office: Office) -> None:
    client = over(office, run_states=["before"] * 20)
    run = client.submit("thumbnail")
    office.while_waiting = do_all(office)
    assert run.wait(timeout=30).status == "COMPLETED"
    assert office.mono >= 5
