"""The built-in tasks as ImplSpecs of every database, and in real worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from shardkeeper.domain.built_in import BUILT_IN_IMPLS, BUILT_IN_NAMES
from shardkeeper.domain.specs import ImplSpec
from shardkeeper.domain.validation import parse_impl_row
from shardkeeper.ports.workers import EndingStatus
from shardkeeper.workers.pool import ProcessWorkers
from shardkeeper.workers.settings import task_environment
from tests.postgres.migrated import upgrade
from tests.servers import PostgresDatabase, PostgresPool
from tests.tasks.web import serving
from tests.workers.hall import Hall, settings, wait_until

ENTRYPOINTS = {impl.name: impl.entrypoint for impl in BUILT_IN_IMPLS}
PASSWORD = "s3cret-of-the-warehouse"


def test_every_database_has_them_with_a_version_each(postgres_pool: PostgresPool) -> None:
    with postgres_pool.database(18, upgrade) as database, database.connect() as connection:
        found = connection.execute(
            "SELECT v.impl, v.sources, v.changed_by, i.name FROM shardkeeper.impl_version v"
            " JOIN shardkeeper.impl_spec i ON i.name = v.impl_name ORDER BY i.name"
        ).fetchall()
    read: list[ImplSpec] = [parse_impl_row(impl) for impl, *_ in found]  # type: ignore[arg-type]
    assert tuple(read) == BUILT_IN_IMPLS
    assert {name for *_, name in found} == BUILT_IN_NAMES
    assert {(str(sources), by) for _, sources, by, _ in found} == {("[]", "shardkeeper")}


# in worker processes


@pytest.fixture
def hall(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Hall]:
    """Workers that are allowed what ``request.param`` says, and no module but the built-in ones."""
    workers = ProcessWorkers(settings(capacity=1, allowed_modules=(), built_in=request.param))
    opened = Hall(workers, tmp_path)
    yield opened
    workers.close(0)


@pytest.mark.parametrize("hall", [{}], indirect=True)
@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_sleep_runs_in_a_worker_and_is_stopped_at_once(hall: Hall, isolation: str) -> None:
    assert hall.run(ENTRYPOINTS["sleep"], {"seconds": 0.01}, isolation=isolation).result["slept_s"] >= 0.01
    order = hall.submit(ENTRYPOINTS["sleep"], {"seconds": 600}, isolation=isolation)
    hall.started(order)
    # asked, and enforced only long after the test has given up
    hall.workers.stop(order.key, order.claim_no, 600.0)
    assert hall.ending(order).status is EndingStatus.STOPPED


@pytest.mark.parametrize("hall", [{"allowed_networks": ["127.0.0.1/32"]}], indirect=True)
def test_http_get_runs_in_a_worker(hall: Hall) -> None:
    with serving({"/": lambda handler: handler.answer(200, b"[1]", Content_Type="text/plain")}) as server:
        ending = hall.run(ENTRYPOINTS["http-get"], {"url": server.url})
        again = hall.run(ENTRYPOINTS["http-get"], {"url": server.url, "expect_status": 204})
    assert (ending.status, ending.result["text"]) == (EndingStatus.COMPLETED, "[1]")
    assert "GET 127.0.0.1 answered 200 with 3 bytes" in (ending.log or "")
    assert (again.status, again.error_type) == (EndingStatus.FAILED, "ValidationError")
    elsewhere = hall.run(ENTRYPOINTS["http-get"], {"url": "http://169.254.169.254/"})
    assert elsewhere.error_type == "AddressRefused"


def test_image_resize_runs_in_a_worker(tmp_path: Path) -> None:
    Image.new("RGB", (400, 200)).save(tmp_path / "a.png")
    workers = ProcessWorkers(settings(capacity=1, built_in={"file_dirs": [str(tmp_path)]}))
    hall = Hall(workers, tmp_path)
    try:
        given = {"source": "a.png", "target": "b.webp", "width": 40}
        ending = hall.run(ENTRYPOINTS["image-resize"], given, memory_limit_bytes=256 * 1024**2)
    finally:
        workers.close(0)
    assert (ending.status, ending.result["height"]) == (EndingStatus.COMPLETED, 20), ending
    with Image.open(tmp_path / "b.webp") as image:
        assert image.size == (40, 20)


@pytest.fixture
def warehouse(postgres: PostgresDatabase, tmp_path: Path) -> Iterator[tuple[Hall, PostgresDatabase]]:
    """Workers that know the database as ``warehouse``."""
    told: Any = {
        "connections": {"warehouse": postgres.url, "gone": f"postgresql://u:{PASSWORD}@127.0.0.1:1/d"}
    }
    workers = ProcessWorkers(settings(capacity=1, built_in=told, allowed_modules=("ill_behaved",)))
    yield Hall(workers, tmp_path), postgres
    workers.close(0)


def test_sql_runs_in_a_worker_and_tells_no_secret(warehouse: tuple[Hall, PostgresDatabase]) -> None:
    hall, database = warehouse
    given = {"connection": "warehouse", "statement": "SELECT $1::int + 1 AS n", "arguments": [1]}
    ending = hall.run(ENTRYPOINTS["sql"], given)
    assert ending.result == {"rows": [{"n": 2}], "rowcount": 1}, ending
    gone = hall.run(ENTRYPOINTS["sql"], {**given, "connection": "gone"})
    assert gone.error_type == "OperationalError"
    assert PASSWORD not in repr(gone)
    # nothing that a task starts sees them
    environment = hall.run("Evil", {"expression": "str(dict(__import__('os').environ))"}).result
    assert PASSWORD not in environment
    assert database.url not in environment


def test_a_stopped_attempt_ends_its_statement_too(warehouse: tuple[Hall, PostgresDatabase]) -> None:
    hall, database = warehouse
    given = {"connection": "warehouse", "statement": "SELECT pg_sleep(600)", "timeout_s": 900}

    def asleep(connection: Any) -> bool:
        query = "SELECT FROM pg_stat_activity WHERE query = %s AND state = 'active'"
        return bool(connection.execute(query, (given["statement"],)).rowcount)

    with database.connect() as connection:
        order = hall.submit(ENTRYPOINTS["sql"], given)
        wait_until(lambda: asleep(connection))
        hall.workers.stop(order.key, order.claim_no, 4.0)
        assert hall.ending(order).status is EndingStatus.STOPPED
        wait_until(lambda: not asleep(connection))


def test_connections_are_kept_from_the_environment_of_tasks() -> None:
    secrets: dict[str, str] = {
        "SHARDKEEPER_TASKS__CONNECTIONS": "{}",
        "SHARDKEEPER_TASKS__CONNECTIONS__WAREHOUSE": "postgresql://db/x",
        "SHARDKEEPER_TASKS__CONNECTIONS_FILE": "/run/secrets/connections",
    }
    assert task_environment({**secrets, "PATH": "/bin"}) == {"PATH": "/bin"}
