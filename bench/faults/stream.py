"""A stream of submissions at a steady rate, through whatever happens to PostgreSQL.

Each has an idempotency key, and one whose answer was not heard is given again with the same key until it is: so what
was promised is known at the end, and that each key is one run can be judged.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg
from psycopg.types.json import Jsonb

from bench.faults.kinds import BY_NAME, KINDS, Kind, demand_job

_PAUSE_S = 0.2
"""Between two tries while PostgreSQL does not answer."""
_AGAIN_SHARE = 0.02
"""Of what was answered, so much is given once more: the answer is to be the same."""
_PATIENCE_S = 120.0
_OPTIONS = "-c statement_timeout=5s -c lock_timeout=4s"
SUBMIT = "select shardkeeper.submit(%s, %s, key => %s)"
Connection = psycopg.Connection[Any]


@dataclass(slots=True)
class Promise:
    """What was submitted under one key, and every answer that was heard. ``asked``: how often it was given."""

    key: str
    job: str
    asked: int = 0
    answers: list[int] = field(default_factory=list)


class Stream:
    """``url``: of the database, past any link that is cut; ``per_s``: submissions in a second; ``seed``: of what they
    are. A context manager, or ``start`` and ``end``."""

    def __init__(self, url: str, per_s: float, seed: int) -> None:
        self.promised: dict[str, Promise] = {}
        """By key; to be read once it has ended."""
        self._url = url
        self._period_s = 1.0 / per_s
        self._rng = random.Random(f"stream {seed}")
        self._extra: deque[str] = deque()
        self._over = threading.Event()
        self._gives_up_at = float("inf")
        self._connection: Connection | None = None
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="stream")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> None:
        """Begin to submit."""
        self._thread.start()

    def add(self, kind: str, count: int) -> None:
        """Submit so many of a kind besides, as soon as PostgreSQL answers; KeyError for a kind there is not."""
        self._extra.extend([BY_NAME[kind].name] * count)

    def end(self) -> None:
        """Submit nothing new; returns once the last answer was heard, or nothing was for two minutes. Harmless when it
        has ended. Raises what PostgreSQL refused."""
        self._gives_up_at = time.monotonic() + _PATIENCE_S
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            for number, kind in enumerate(self._drawn()):
                promise = Promise(f"faults-{number}", demand_job(kind.name))
                self.promised[promise.key] = promise
                self._submit(promise, kind)
                if self._rng.random() < _AGAIN_SHARE:
                    self._submit(promise, kind)
        except Exception as error:  # noqa: BLE001  the thread's rim: whoever ends it is told
            self._failure = error
        finally:
            self._disconnect()

    def _drawn(self) -> Iterator[Kind]:
        """What is to be submitted, each when it is time."""
        drawn = [kind for kind in KINDS if kind.submitted]
        due = time.monotonic()
        while not self._over.is_set() or self._extra:
            if self._extra:
                yield BY_NAME[self._extra.popleft()]
                continue
            # what an outage has held up is not made up for: that would be a burst that nobody has asked for
            due = max(due + self._period_s, time.monotonic())
            if not self._over.wait(due - time.monotonic()):
                yield self._rng.choices(drawn, weights=[kind.submitted for kind in drawn])[0]

    def _submit(self, promise: Promise, kind: Kind) -> None:
        """Until it is answered."""
        parameters = Jsonb(dict(kind.parameters(self._rng)))
        while time.monotonic() < self._gives_up_at:
            promise.asked += 1
            try:
                row = self._connected().execute(SUBMIT, (promise.job, parameters, promise.key)).fetchone()
            except (psycopg.OperationalError, psycopg.InterfaceError):
                self._disconnect()
                threading.Event().wait(_PAUSE_S)
                continue
            assert row is not None, "the query has one row"
            promise.answers.append(row[0])
            return

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=3, options=_OPTIONS
            )
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
