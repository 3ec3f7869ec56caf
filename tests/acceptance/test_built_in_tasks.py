"""The built-in tasks on a node as people start it: jobs are rows, settings are variables, outcomes are rows."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.cluster import AgentCluster, cluster_on_shared_servers
from tests.servers import PostgresPool
from tests.tasks.web import WebServer, serving
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def images(servers_folder: Path) -> Path:
    """A folder with an image ``cat.png`` of 400 x 200 in it."""
    folder = servers_folder / "images"
    folder.mkdir(mode=stat.S_IRWXU)
    Image.new("RGB", (400, 200)).save(folder / "cat.png")
    return folder


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    pages = {"/ready": lambda handler: handler.answer(200, b'{"up": true}', Content_Type="application/json")}
    with serving(pages) as server:
        yield server


@pytest.fixture(scope="module")
def warehouse(postgres_pool: PostgresPool) -> Iterator[str]:
    """The URL of a database that is not the cluster's."""
    with postgres_pool.database() as database, database.connect() as connection:
        connection.execute(
            "CREATE TABLE orders AS SELECT date '2026-11-21' AS day FROM generate_series(1, 3)"
        )
        yield database.url


@pytest.fixture(scope="module")
def cluster(
    postgres_pool: PostgresPool, zookeeper_hosts: str, servers_folder: Path, images: Path, warehouse: str
) -> Iterator[AgentCluster]:
    """One node, which allows the built-in tasks these things and no other task at all."""
    settings = {
        "SHARDKEEPER_TASKS__ALLOWED_MODULES": "[]",
        "SHARDKEEPER_TASKS__FILE_DIRS": json.dumps([str(images)]),
        "SHARDKEEPER_TASKS__ALLOWED_NETWORKS": '["127.0.0.1/32"]',
        "SHARDKEEPER_TASKS__CONNECTIONS": json.dumps({"warehouse": warehouse}),
    }
    with cluster_on_shared_servers(postgres_pool, zookeeper_hosts, servers_folder, **settings) as made:
        made.start("one")
        made.wait_for_view("one")
        yield made


def outcome(cluster: AgentCluster, job: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Trigger the job; its run once it has ended."""
    run_id = cluster.one("SELECT shardkeeper.trigger_job(%s, %s)", (job, json.dumps(parameters)))

    def run() -> dict[str, Any]:
        (found,) = cluster.rows("SELECT * FROM shardkeeper.job_run WHERE id = %s", (run_id,))
        return found

    wait_until(lambda: run()["finished_at"] is not None, 60.0, f"the run of {job}")
    return run()


def test_jobs_of_all_four_run(cluster: AgentCluster, web: WebServer, images: Path, warehouse: str) -> None:
    cluster.job("nap", "sleep", parameters={"seconds": 0.1})
    cluster.job("probe", "http-get", parameters={"timeout_s": 20})
    cluster.job("thumbnail", "image-resize", parameters={"width": 100})
    statement = "SELECT count(*) AS n FROM orders WHERE day = $1::date"
    cluster.job("orders", "sql", parameters={"connection": "warehouse", "statement": statement})
    found = {
        "nap": outcome(cluster, "nap", {}),
        "probe": outcome(cluster, "probe", {"url": f"{web.url}/ready"}),
        "thumbnail": outcome(cluster, "thumbnail", {"source": "cat.png", "target": "small.webp"}),
        "orders": outcome(cluster, "orders", {"arguments": ["2026-11-21"]}),
    }
    assert {job: run["status"] for job, run in found.items()} == dict.fromkeys(found, "COMPLETED"), found
    assert found["nap"]["result"]["slept_s"] >= 0.1
    assert found["probe"]["result"]["json"] == {"up": True}
    assert (found["thumbnail"]["result"]["width"], found["thumbnail"]["result"]["height"]) == (100, 50)
    assert found["orders"]["result"] == {"rows": [{"n": 3}], "rowcount": 1}
    with Image.open(images / "small.webp") as image:
        assert image.size == (100, 50)
    # the URL of the warehouse is nowhere to be read
    assert warehouse not in cluster.log("one")
    assert not cluster.one(
        "SELECT count(*) FROM shardkeeper.shard_run s WHERE s::text LIKE '%%postgresql://%%'"
    )


def test_what_the_node_does_not_allow_fails_and_says_why(cluster: AgentCluster) -> None:
    cluster.job("nosy", "http-get")
    run = outcome(cluster, "nosy", {"url": "http://169.254.169.254/latest/meta-data/"})
    assert run["status"] == "FAILED"
    (attempt,) = cluster.attempts("nosy")
    assert attempt["error_type"] == "AddressRefused"
    assert "tasks.allowed_networks" in attempt["error_message"]


def test_the_settings_are_shown_without_their_secrets(cluster: AgentCluster, warehouse: str) -> None:
    shown = cluster.cli("config")
    assert "warehouse" in shown
    assert "127.0.0.1/32" in shown
    assert warehouse not in shown
