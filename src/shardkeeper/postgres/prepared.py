"""A statement of the hot path: prepared once for each connection, and called by libpq itself.

psycopg's cursors adapt values of every kind, which takes most of a submission's processor time on the client's side
(100 of 130 µs, measured). Here all values are texts. Its waits are bounded as those of ``PatientConnection``.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from time import monotonic
from typing import Final

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from shardkeeper.postgres.patience import PatientConnection, silent

_DONE: Final = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
_LOOK_MS: Final = 100
"""How often a wait looks at the clock, and lets signals be seen."""


class Prepared:
    """``query`` has ``$1`` and so on, each with its cast; ``name`` is its own in the whole program."""

    def __init__(self, name: str, query: str) -> None:
        self._name = name.encode()
        self._query = query.encode()

    def value(self, raw: PatientConnection, values: Sequence[str | None]) -> str:
        """The first column of the only row, which is not null. Raises what psycopg raises."""
        encoding = raw.prepared.get(self._name)
        if encoding is None:
            encoding = self._prepare(raw)
        sent = [None if value is None else _encoded(value, encoding) for value in values]
        pgconn = raw.pgconn
        pgconn.send_query_prepared(self._name, sent)
        found = _answer(raw, encoding).get_value(0, 0)
        assert found is not None, "as its users are told"
        return found.decode(encoding)

    def _prepare(self, raw: PatientConnection) -> str:
        encoding = raw.info.encoding
        raw.pgconn.send_prepare(self._name, self._query)
        _answer(raw, encoding)
        raw.prepared[self._name] = encoding
        return encoding


def _encoded(value: str, encoding: str) -> bytes:
    found = value.encode(encoding)
    if b"\0" in found:
        # libpq would send what is before it
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return found


def _answer(raw: PatientConnection, encoding: str) -> PGresult:
    """The answer to what was sent. What goes wrong after it, as at the commit, is an answer of its own: all are heard,
    and the connection is idle again."""
    pgconn, until = raw.pgconn, monotonic() + raw.patience_s
    poll = select.poll()
    sending = pgconn.flush()
    poll.register(pgconn.socket, select.POLLIN | select.POLLOUT if sending else select.POLLIN)
    answers: list[PGresult] = []
    while True:
        while sending or pgconn.is_busy():
            if poll.poll(_LOOK_MS):
                # whoever sends much reads meanwhile, or both sides might wait for each other
                pgconn.consume_input()
                if sending and not (sending := pgconn.flush()):
                    poll.modify(pgconn.socket, select.POLLIN)
            elif monotonic() > until:
                raise silent(raw.patience_s)
        answer = pgconn.get_result()
        if answer is None:
            break
        answers.append(answer)
    for answer in answers:
        if answer.status not in _DONE:
            raise error_from_result(answer, encoding)
    return answers[0]
