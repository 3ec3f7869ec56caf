"""The Listener: one connection that LISTENs, and does nothing else.

A hint is never trusted to arrive. What is: that the listening itself is known to work. So LISTEN is committed, and then
proven by a notification to itself that has to come back (through a transaction pooler it does not: the session that
listened is another's by then); the proof is repeated while it is quiet, and a connection that fails it is thrown away.
After each ``ListenerState(listening=True)`` the node reads all changes, so whatever was sent in between is not missed.
"""

from __future__ import annotations

import json
import logging
import random
import select
import socket
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any, Final

import psycopg
from psycopg import sql

from shardkeeper.domain.errors import ShardkeeperError
from shardkeeper.ports.specs import Hint, ListenerState
from shardkeeper.postgres.connection import ConnectionOptions, Raw
from shardkeeper.postgres.patience import PatientConnection

CHANNEL: Final = "shardkeeper"
_MOST_BACK_OFF_S: Final = 5.0
_FIRST_BACK_OFF_S: Final = 0.1

Notify = Callable[[Hint | ListenerState], None]
log = logging.getLogger(__name__)


class NotListening(ShardkeeperError):
    """The notification that the listener sent to itself did not come back: is there a transaction pooler in front of
    PostgreSQL? Give nodes a direct connection, or a pool in session mode."""


class PostgresListener:
    """See ``ports.specs.Listener``. ``proof_s``: how long a proof may take; ``quiet_s``: when it is repeated."""

    def __init__(self, options: ConnectionOptions, proof_s: float = 5.0, quiet_s: float = 15.0) -> None:
        self._options = replace(options, application_name=f"{options.application_name} listener")
        self._proof_s = proof_s
        self._quiet_s = quiet_s
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._told_listening: bool | None = None

    def start(self, notify: Notify) -> None:
        if self._thread is not None:
            return
        self._stopping.clear()
        self._awake, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, args=(notify,), name="listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping.set()
        self._wake.send(b"x")
        thread.join()
        self._awake.close()
        self._wake.close()

    def _serve(self, notify: Notify) -> None:
        back_off_s = _FIRST_BACK_OFF_S
        while not self._stopping.is_set():
            try:
                with self._connected() as raw:
                    self._prove(raw, notify)
                    back_off_s = _FIRST_BACK_OFF_S
                    self._tell(notify, ListenerState(True))
                    self._listen(raw, notify)
            except (psycopg.Error, OSError, NotListening) as error:
                problem = " ".join(str(error).split())[:500]
                self._tell(notify, ListenerState(False, problem))
                self._stopping.wait(random.uniform(0.5, 1.0) * back_off_s)
                back_off_s = min(2 * back_off_s, _MOST_BACK_OFF_S)

    def _connected(self) -> Raw:
        raw = PatientConnection.connect(self._options.conninfo(), autocommit=True)
        raw.patience_s = self._proof_s
        try:
            raw.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        except BaseException:
            raw.close()
            raise
        return raw

    def _listen(self, raw: Raw, notify: Notify) -> None:
        """Until told to stop. Raises when the connection is lost or no longer proves itself."""
        while not self._stopping.is_set():
            if not self._hear(raw, notify, self._quiet_s):
                self._prove(raw, notify)

    def _prove(self, raw: Raw, notify: Notify) -> None:
        """Send a notification to oneself and wait for it; hints that come before it are passed on."""
        token = uuid.uuid4().hex
        raw.execute("SELECT pg_notify(%s, %s)", (CHANNEL, json.dumps({"kind": "proof", "token": token})))
        deadline = monotonic() + self._proof_s
        while not self._stopping.is_set():
            left = deadline - monotonic()
            if left <= 0:
                raise NotListening
            if token in self._hear(raw, notify, left):
                return

    def _hear(self, raw: Raw, notify: Notify, timeout_s: float) -> list[str]:
        """Wait for notifications, pass hints on; the payloads heard, empty when there were none in time. Woken by
        ``stop`` too."""
        payloads = [each.payload for each in raw.notifies(timeout=0)]
        if not payloads:
            ready, _, _ = select.select([raw.fileno(), self._awake.fileno()], [], [], timeout_s)
            if raw.fileno() in ready:
                payloads = [each.payload for each in raw.notifies(timeout=0)]
        tokens = []
        for payload in payloads:
            message = _read(payload)
            if message.get("kind") == "proof":
                tokens.append(str(message.get("token")))
            else:
                tokens.append("")
                notify(_hint(message))
        return tokens

    def _tell(self, notify: Notify, state: ListenerState) -> None:
        """Listening is told each time, for all changes have to be read then; the loss of it once."""
        if state.listening or self._told_listening is not False:
            log.log(
                logging.INFO if state.listening else logging.WARNING,
                "listener: %s",
                state.problem or "listening",
            )
            notify(state)
        self._told_listening = state.listening


def _read(payload: str) -> dict[str, Any]:
    """The payload's object; anybody may NOTIFY anything, so what is none counts as "something changed"."""
    with suppress(ValueError):
        found = json.loads(payload)
        if isinstance(found, dict):
            return found
    return {}


def _hint(message: dict[str, Any]) -> Hint:
    return Hint(
        str(message.get("kind") or "specs"), _names(message.get("jobs")), _names(message.get("impls"))
    )


def _names(found: object) -> frozenset[str] | None:
    return frozenset(map(str, found)) if isinstance(found, list) else None
