"""Running nodes, one cluster for each file of tests."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from shardkeeper.devservers.fake_slack import FakeSlack
from tests.cluster import AgentCluster, cluster_on_shared_servers
from tests.servers import PostgresPool

NODES = ("one", "two", "three")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the nodes last said."""
    report = yield
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(cluster, AgentCluster):
        for log in sorted(cluster.folder.glob("*.log")):
            report.sections.append((f"log of {log.stem}", log.read_text(errors="replace")[-3_000:]))
    return report


@pytest.fixture(scope="module")
def slack() -> Iterator[FakeSlack]:
    """The cluster's Slack."""
    fake = FakeSlack()
    yield fake
    fake.close()


@pytest.fixture(scope="module")
def settings(slack: FakeSlack) -> dict[str, str]:
    """Settings of all nodes; a file of tests may have its own."""
    return {}


@pytest.fixture(scope="module")
def cluster(
    postgres_pool: PostgresPool,
    zookeeper_hosts: str,
    servers_folder: Path,
    slack: FakeSlack,
    settings: dict[str, str],
) -> Iterator[AgentCluster]:
    """Three nodes in the view, and the ImplSpec "witness"."""
    everybody = {
        "SHARDKEEPER_WORKERS": "8",
        "SHARDKEEPER_ENVIRONMENT": "test",
        "SHARDKEEPER_SLACK__TOKEN": "xoxb-test",
        "SHARDKEEPER_SLACK__CHANNEL": "#alerts",
        "SHARDKEEPER_SLACK__API_URL": slack.url,
        **settings,
    }
    with cluster_on_shared_servers(postgres_pool, zookeeper_hosts, servers_folder, **everybody) as made:
        made.start(*NODES)
        made.wait_for_view(*NODES)
        made.impl()
        yield made
