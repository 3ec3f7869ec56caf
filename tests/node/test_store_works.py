"""What the smaller lanes do with an answer that does not come, and with what was gathered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from shardkeeper.domain.attempts import CreateAnswer, CreateRun, Creation
from shardkeeper.domain.errors import PartlyUnanswered, StoreUnavailable
from shardkeeper.domain.leases import BeatAnswer, JoinAnswer, Registration
from shardkeeper.domain.planner.actions import (
    Alert,
    Beat,
    CloseUnrunnable,
    Create,
    Join,
    Leave,
    MirrorView,
    ReadPending,
    SayDraining,
)
from shardkeeper.domain.planner.events import (
    Beaten,
    BeatUnanswered,
    DrainAnswered,
    PendingRead,
    RunsAnswered,
    RunsUnanswered,
    StoreAway,
)
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.domain.view import View
from shardkeeper.node.works.leases import LeaseWork
from shardkeeper.node.works.pending import AlertsWork, PendingWork
from shardkeeper.node.works.runs import RunsWork

T0 = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = AttemptKey(1, T0, 0, 1)


class Store:
    """Every call is written down in ``calls``; ``cut`` names those that fail."""

    def __init__(self, *cut: str, **answers: Callable[..., Any]) -> None:
        self.cut = set(cut)
        self.calls: list[str] = []
        self.answers = answers

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.calls.append(name)
            if name in self.cut:
                raise StoreUnavailable(f"{name} is cut")
            return self.answers[name](*arguments) if name in self.answers else None

        return call


def view(epoch: int) -> View:
    return View("lineage", epoch, "n1", (), T0)


def lease_work(store: Store) -> LeaseWork:
    def registration(incarnation: str) -> Registration:
        return Registration("n1", incarnation, "host", 1, 1.0, {}, "0")

    return LeaseWork(cast("Any", store), registration, lambda: 5.0, lambda: None)


def beaten(incarnation: str) -> BeatAnswer:
    return BeatAnswer(True, (), (), False, None, None, T0)


def test_a_beat_that_was_answered_stays_answered_when_a_later_call_fails() -> None:
    store = Store("mirror_view", beat=beaten)
    done = lease_work(store).run([MirrorView(view(3)), Beat("inc")])
    assert [type(event) for event in done.events] == [Beaten]
    assert (list(done.left), done.unanswered) == ([MirrorView(view(3))], "mirror_view is cut")


def test_a_beat_that_is_not_answered_is_told_and_not_sent_again() -> None:
    done = lease_work(Store("beat")).run([Beat("inc"), SayDraining("inc", True), Leave("inc")])
    assert list(done.events) == [BeatUnanswered("beat is cut")]
    assert list(done.left) == [SayDraining("inc", True), Leave("inc")]


def test_a_join_that_is_not_answered_is_sent_again_and_is_no_lost_beat() -> None:
    done = lease_work(Store("join")).run([Join("inc")])
    assert (list(done.events), list(done.left)) == ([], [Join("inc")])
    assert done.again_s > 0.0


def test_beats_that_piled_up_are_one() -> None:
    store = Store(beat=beaten)
    lease_work(store).run([Beat("inc"), Beat("inc"), Beat("inc")])
    assert store.calls == ["beat"]


def test_a_beat_that_is_to_tell_of_something_asked_before_it_is_not_merged_away() -> None:
    store = Store(beat=beaten)
    done = lease_work(store).run([Beat("inc"), SayDraining("inc", True), Beat("inc"), Beat("next")])
    assert store.calls == ["beat", "drain", "beat", "beat"]
    assert [type(event) for event in done.events] == [Beaten, DrainAnswered, Beaten, Beaten]


def test_a_view_is_mirrored_last_and_only_the_newest() -> None:
    mirrored: list[View] = []
    store = Store(
        join=lambda registration: JoinAnswer(True, None, T0), beat=beaten, mirror_view=mirrored.append
    )
    lease_work(store).run([MirrorView(view(1)), Join("inc"), MirrorView(view(2)), Beat("inc")])
    assert store.calls == ["join", "beat", "mirror_view"]
    assert [one.epoch for one in mirrored] == [2]


def test_a_look_is_tried_until_it_is_answered_and_looks_that_piled_up_are_one() -> None:
    store = Store("pending", pending=lambda *_: [])
    work = PendingWork(cast("Any", store), 10)
    done = work.run([ReadPending("old"), ReadPending("inc"), CloseUnrunnable("inc", (KEY,), "nobody")])
    assert (list(done.left), store.calls) == ([ReadPending("inc")], ["pending"])
    store.cut.clear()
    assert list(work.run(done.left).events) == [PendingRead("inc", (), full=False)]


def test_a_look_is_answered_although_closing_fails() -> None:
    store = Store("no_eligible_node", pending=lambda *_: [])
    done = PendingWork(cast("Any", store), 10).run(
        [CloseUnrunnable("inc", (KEY,), "nobody"), ReadPending("inc")]
    )
    assert [type(event) for event in done.events] == [PendingRead]
    assert list(done.left) == []


def test_alerts_are_tried_until_they_stand_and_none_twice() -> None:
    raised: list[str] = []

    def raise_alert(event_key: str, kind: str, body: object) -> bool:
        if event_key == "b" and len(raised) < 2:
            raised.append("-")
            raise StoreUnavailable("cut")
        raised.append(event_key)
        return True

    work = AlertsWork(cast("Any", Store(raise_alert=raise_alert)))
    done = work.run([Alert(name, "kind", {}) for name in ("a", "b", "c")])
    assert [one.event_key for one in done.left] == ["b", "c"]
    work.run(done.left)
    assert raised == ["a", "-", "b", "c"]


def request(job: str) -> CreateRun:
    return CreateRun(job, T0, 1, 1, 1, (0,))


def test_runs_that_were_created_are_answered_although_one_is_locked() -> None:
    def create(incarnation: str, requests: Sequence[CreateRun]) -> list[CreateAnswer]:
        created = [
            None if one.job_name == "locked" else CreateAnswer(Creation.EXISTS, 1, (), T0) for one in requests
        ]
        raise PartlyUnanswered(created, "one is locked")

    names = ("a", "locked", "b")
    work = RunsWork(cast("Any", Store(create=create)))
    answered, away, unanswered = work.run([Create("inc", request(name)) for name in names]).events
    assert isinstance(answered, RunsAnswered)
    assert [one.job_name for one in answered.requests] == ["a", "b"]
    assert away == StoreAway("one is locked")
    assert unanswered == RunsUnanswered("inc", (request("locked"),))


def test_runs_that_nobody_answered_for_are_told_as_such() -> None:
    done = RunsWork(cast("Any", Store("create"))).run([Create("inc", request("a"))])
    assert list(done.events) == [StoreAway("create is cut"), RunsUnanswered("inc", (request("a"),))]
    assert (list(done.left), done.unanswered) == ([], None)
