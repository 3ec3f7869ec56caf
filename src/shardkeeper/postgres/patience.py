"""A connection that does not wait for ever.

PostgreSQL ends a statement that takes too long, and the kernel ends a link whose other end is gone. Neither helps when
the other end's kernel still answers and nothing behind it does: a stopped server, a disk that hangs, a proxy that has
lost its way. Then only who asked can give up.
"""

from __future__ import annotations

from collections.abc import Generator
from math import inf
from time import monotonic
from typing import Any, TypeVar

import psycopg

V = TypeVar("V")


class PatientConnection(psycopg.Connection[tuple[Any, ...]]):
    """``patience_s``: how long anything may take that the server is to answer; then OperationalError, and what was
    asked may be done or not."""

    patience_s: float = inf

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.prepared: dict[bytes, str] = {}
        """Statements by name that were prepared on this connection, with its encoding (see ``prepared``)."""

    def wait(self, gen: Generator[Any, Any, V], *args: Any, **options: Any) -> V:
        """psycopg waits here, and goes on with ``gen`` ten times a second though nothing has come."""
        return super().wait(_within(gen, self.patience_s), *args, **options)


def _within(gen: Generator[Any, Any, V], patience_s: float) -> Generator[Any, Any, V]:
    until = monotonic() + patience_s
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and monotonic() > until:
                raise silent(patience_s)
            wanted = gen.send(ready)
    except StopIteration as end:
        answer: V = end.value
        return answer


def silent(patience_s: float) -> psycopg.OperationalError:
    """What is raised of a server that has said nothing for so long."""
    return psycopg.OperationalError(f"the server has not answered for {patience_s:g} s")
