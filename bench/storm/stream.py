"""What is submitted: in bulk, never more than a bounded backlog ahead of what has ended."""

from __future__ import annotations

import random
import threading
import time
from itertools import islice
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bench.storm.kinds import drawn
from bench.storm.options import Options

_BULK = 500
_BACKLOG = 5_000
_POLL_S = 0.25
SUBMIT = """
select t.place, shardkeeper.submit(t.job, t.parameters)
  from unnest(%s::text[], %s::jsonb[]) with ordinality t (job, parameters, place)"""
ENDED = "select count(*) from shardkeeper.job_run where finished_at is not null"


class Stream:
    """Submits the tasks of a storm on one connection, and watches them end."""

    def __init__(self, connection: psycopg.Connection[Any], options: Options) -> None:
        self.submitted: dict[int, str] = {}
        """The kind of each run."""
        self._connection = connection
        self._options = options
        self._pause = threading.Event()
        self._ended = 0
        self._ended_at = time.monotonic()

    def submit(self) -> None:
        """All of them; gives up when nothing ends for the patience."""
        rng = random.Random(f"stream {self._options.seed}")
        tasks = drawn(self._options.tasks, rng)
        while kinds := list(islice(tasks, _BULK)):
            names = [kind.name for kind in kinds]
            parameters = [Jsonb(dict(kind.parameters(rng))) for kind in kinds]
            for place, run in self._connection.execute(SUBMIT, (names, parameters)):
                self.submitted[run] = names[place - 1]
            if not self._wait_until_open(_BACKLOG):
                return

    def drain(self) -> bool:
        """Wait until all have ended; False when nothing ended for the patience."""
        return self._wait_until_open(0)

    def _wait_until_open(self, most: int) -> bool:
        while len(self.submitted) - self._look() > most:
            if time.monotonic() - self._ended_at > self._options.patience_s:
                return False
            self._pause.wait(_POLL_S)
        return True

    def _look(self) -> int:
        row = self._connection.execute(ENDED).fetchone()
        ended = row[0] if row else 0
        if ended != self._ended:
            self._ended, self._ended_at = ended, time.monotonic()
        return self._ended
