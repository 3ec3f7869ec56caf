"""The listener proves that it hears, comes back when it is cut off, and says when it does not hear."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from threading import Event, Thread

import psycopg
import pytest

from shardkeeper.ports.specs import Hint, ListenerState
from shardkeeper.postgres.connection import ConnectionOptions
from shardkeeper.postgres.listener import PostgresListener
from tests.postgres.migrated import Migrated
from tests.postgres.relayed import relayed

TIMEOUT_S = 20


@contextmanager
def started(listener: PostgresListener) -> Iterator[Queue[Hint | ListenerState]]:
    heard: Queue[Hint | ListenerState] = Queue()
    listener.start(heard.put)
    try:
        yield heard
    finally:
        listener.stop()


def listener_of(migrated: Migrated) -> PostgresListener:
    return PostgresListener(ConnectionOptions(migrated.url))


def cut(migrated: Migrated) -> int:
    """End the backends of listeners; how many there were."""
    ended = migrated.all(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name LIKE '%%listener' AND datname = current_database()"
    )
    return len(ended)


def test_it_says_that_it_listens_and_passes_on_what_changes(migrated: Migrated) -> None:
    with started(listener_of(migrated)) as heard:
        assert heard.get(timeout=TIMEOUT_S) == ListenerState(True)
        migrated.job()
        hints = [heard.get(timeout=TIMEOUT_S), heard.get(timeout=TIMEOUT_S)]
    assert hints == [
        Hint("specs", frozenset(), frozenset({"impl"})),
        Hint("specs", frozenset({"job"}), frozenset()),
    ]


def test_cut_off_it_says_so_and_comes_back_by_itself(migrated: Migrated) -> None:
    with started(listener_of(migrated)) as heard:
        assert heard.get(timeout=TIMEOUT_S) == ListenerState(True)
        assert cut(migrated) == 1
        lost = heard.get(timeout=TIMEOUT_S)
        assert isinstance(lost, ListenerState)
        assert not lost.listening
        assert lost.problem
        assert heard.get(timeout=TIMEOUT_S) == ListenerState(True)


@pytest.mark.parametrize("payload", ["", "not json", "[]", '{"jobs": 3}'])
def test_what_anybody_else_notifies_is_a_hint_that_something_changed(
    migrated: Migrated, payload: str
) -> None:
    with started(listener_of(migrated)) as heard:
        assert heard.get(timeout=TIMEOUT_S) == ListenerState(True)
        migrated.sql.execute("SELECT pg_notify('shardkeeper', %s)", (payload,))
        assert heard.get(timeout=TIMEOUT_S) == Hint("specs", None, None)


def test_a_connection_that_swallows_notifications_is_found_out(
    migrated: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what a transaction pooler does: the session that listened is not the one that is asked later
    connected = PostgresListener._connected

    def pooled(self: PostgresListener) -> psycopg.Connection[tuple[object, ...]]:
        raw = connected(self)
        raw.execute("UNLISTEN *")
        return raw

    monkeypatch.setattr(PostgresListener, "_connected", pooled)
    with started(PostgresListener(ConnectionOptions(migrated.url), proof_s=0.2)) as heard:
        state = heard.get(timeout=TIMEOUT_S)
    assert isinstance(state, ListenerState)
    assert not state.listening
    assert "pooler" in (state.problem or "")


def test_a_link_that_goes_silent_is_found_out_by_the_next_proof(migrated: Migrated) -> None:
    options = ConnectionOptions(migrated.url)
    with started(PostgresListener(options, proof_s=0.3, quiet_s=0.1)) as heard:
        assert heard.get(timeout=TIMEOUT_S) == ListenerState(True)
        # the connection stays up and answers, but PostgreSQL forgets that it listens
        with patched_proof():
            state = heard.get(timeout=TIMEOUT_S)
        assert isinstance(state, ListenerState)
        assert not state.listening
        assert heard.get(timeout=TIMEOUT_S) == ListenerState(True)


def test_a_link_that_lives_and_carries_nothing_is_given_up_for_a_new_one(migrated: Migrated) -> None:
    """As through a proxy that has lost its way; the kernel of its machine answers for it."""
    with relayed(migrated) as (relay, url):
        listener = PostgresListener(ConnectionOptions(url), proof_s=0.3, quiet_s=0.1)
        with started(listener) as heard:
            assert heard.get(timeout=TIMEOUT_S) == ListenerState(True)
            relay.stall()
            state = heard.get(timeout=TIMEOUT_S)
            assert isinstance(state, ListenerState)
            assert not state.listening
            relay.mend()
            assert heard.get(timeout=TIMEOUT_S) == ListenerState(True)
            migrated.job()
            assert heard.get(timeout=TIMEOUT_S) == Hint("specs", frozenset(), frozenset({"impl"}))


@contextmanager
def patched_proof() -> Iterator[None]:
    """Proofs go to a channel that nobody listens to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shardkeeper.postgres.listener.CHANNEL", "elsewhere")
        yield


def test_it_is_silent_about_a_server_that_stays_away_after_saying_so_once(migrated: Migrated) -> None:
    nowhere = ConnectionOptions("postgresql://nobody@127.0.0.1:1/none")
    with started(PostgresListener(nowhere)) as heard:
        first = heard.get(timeout=TIMEOUT_S)
        assert isinstance(first, ListenerState)
        assert not first.listening
        assert heard.empty()


def test_stopping_is_quick_and_harmless_when_never_started_or_twice(migrated: Migrated) -> None:
    listener = listener_of(migrated)
    listener.stop()
    with started(listener) as heard:
        assert heard.get(timeout=TIMEOUT_S) == ListenerState(True)
        stopped = Event()

        def stop() -> None:
            listener.stop()
            stopped.set()

        Thread(target=stop).start()
        assert stopped.wait(5)
    listener.stop()
