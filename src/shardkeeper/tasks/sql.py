"""``sql``: one statement on a connection that this node knows by name.

The URL never leaves the node's settings: not into parameters, results, logs or errors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg.types.string import TextLoader

from shardkeeper.task import DistributeTask, ShardContext
from shardkeeper.tasks.node_settings import node_settings
from shardkeeper.tasks.parameters import Parameters, WrongParameters

LONGEST_STATEMENT = 100_000
CONNECT_TIMEOUT_S = 10
_AS_TEXT: Final = (
    "numeric", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "bytea", "uuid", "inet", "cidr",
    "int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange",
    "int4multirange", "int8multirange", "nummultirange", "datemultirange", "tsmultirange", "tstzmultirange",
)  # fmt: skip
"""Types that JSON lacks: PostgreSQL's own text of them, exact, instants in UTC."""
_PREPARE: Final = """
SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $1, true),
       set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true),
       set_config('IntervalStyle', 'iso_8601', true), set_config('bytea_output', 'hex', true)
"""


class AnswerTooLarge(Exception):
    """The statement answers with more than ``max_rows`` rows or ``max_bytes`` bytes; it is rolled back."""


class ConnectionUnknown(Exception):
    """This node's ``tasks.connections`` has no such name, or its URL cannot be used."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the parameters come to."""

    connection: str
    statement: str
    arguments: Sequence[Any]
    read_only: bool
    timeout_s: float
    max_rows: int
    max_bytes: int


class Sql(DistributeTask):
    """The parameters are those of docs/reference/tasks.md."""

    def initialize(self, context: ShardContext) -> Order:
        given = Parameters(context.parameters)
        arguments = given.any("arguments", [])
        if not isinstance(arguments, list):
            raise WrongParameters("arguments is not a list: the first is $1 in the statement")
        return Order(
            given.text("connection", 100),
            given.text("statement", LONGEST_STATEMENT),
            [Jsonb(one) if isinstance(one, Mapping) else one for one in arguments],
            given.flag("read_only", True),
            given.number("timeout_s", 0.001, 86_400, 30.0),
            given.integer("max_rows", 0, 100_000, 1_000),
            given.integer("max_bytes", 2, 100_000_000, 500_000),
        )

    def calculate(self, context: ShardContext, data: Order) -> dict[str, Any]:
        with _connected(data) as connection, connection.transaction():
            cursor = psycopg.RawCursor(connection, row_factory=dict_row)
            # a query before the statement: from then on nothing in the transaction can make it writable
            cursor.execute(_PREPARE, (f"{math.ceil(data.timeout_s * 1000)}ms",))
            answer = _executed(cursor, data)
        context.log.info("connection %s: %s rows", data.connection, answer["rowcount"])
        return answer


@contextmanager
def _connected(order: Order) -> Iterator[psycopg.Connection[Any]]:
    """A connection of this attempt's own; the statement is cancelled when the attempt is interrupted."""
    url = node_settings().connections.get(order.connection)
    if url is None:
        raise ConnectionUnknown(f"tasks.connections of this node has no {order.connection!r}")
    try:
        connection = psycopg.connect(
            url,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name="shardkeeper-task",
            prepare_threshold=None,
        )
    except psycopg.ProgrammingError:
        # what libpq says of a URL that it cannot read repeats parts of it
        raise ConnectionUnknown(f"the URL of connection {order.connection!r} cannot be used") from None
    with connection:
        connection.read_only = order.read_only
        for name in _AS_TEXT:
            connection.adapters.register_loader(name, TextLoader)
        try:
            yield connection
        except Exception:
            raise
        except BaseException:
            connection.cancel_safe(timeout=1.0)
            raise


def _executed(cursor: psycopg.RawCursor[dict[str, Any]], order: Order) -> dict[str, Any]:
    statement = order.statement.encode()
    # as one: PostgreSQL refuses to prepare several statements, and says whether rows will come
    described = _described(cursor, statement)
    if not described:
        # in binary, as that too makes psycopg send one statement alone
        cursor.execute(statement, order.arguments, binary=True)
        return {"rowcount": None if cursor.rowcount < 0 else cursor.rowcount}
    if len(set(described)) < len(described):
        raise WrongParameters("statement gives two columns the same name: rename one with AS")
    rows: list[dict[str, Any]] = []
    size = 2
    # row by row, so that an answer that is too large is never held as a whole; closed at once, so that it is cancelled
    # before the transaction is rolled back
    with closing(cast("Generator[dict[str, Any]]", cursor.stream(statement, order.arguments))) as stream:
        for row in stream:
            found = {name: _plain(value) for name, value in row.items()}
            size += len(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")) + 1
            if len(rows) == order.max_rows:
                raise AnswerTooLarge(f"the answer has more rows than max_rows ({order.max_rows})")
            if size > order.max_bytes:
                raise AnswerTooLarge(f"the answer has more bytes than max_bytes ({order.max_bytes})")
            rows.append(found)
    return {"rows": rows, "rowcount": len(rows)}


def _described(cursor: psycopg.RawCursor[Any], statement: bytes) -> list[str]:
    """The names of the columns that the statement answers with; none: it answers with no rows."""
    server = cursor.connection.pgconn
    for answer in (server.prepare(b"", statement), server.describe_prepared(b"")):
        if answer.status != psycopg.pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(answer)
    return [(answer.fname(column) or b"").decode("utf-8", "replace") for column in range(answer.nfields)]


def _plain(value: Any) -> Any:
    """JSON has no NaN and no Infinity: they become texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value
