from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Final[dict[str, Any]] = COMPOSE["services"]


def test_the_cluster_is_an_ensemble_of_three_one_database_and_three_nodes() -> None:
    assert sorted(SERVICES) == [
        "node-1",
        "node-2",
        "node-3",
        "postgres",
        "schema",
        "zookeeper-1",
        "zookeeper-2",
        "zookeeper-3",
    ]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert str(port).startswith("127.0.0.1:")


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"schema"}))
def test_whatever_stays_up_says_whether_it_is_healthy(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@pytest.mark.parametrize("name", SERVICES)
def test_named_volumes_and_dependencies_exist(name: str) -> None:
    service = SERVICES[name]
    assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(COMPOSE["volumes"])
    assert set(service.get("depends_on", {})) <= set(SERVICES)


@pytest.mark.parametrize("name", ["node-1", "node-2", "node-3"])
def test_a_node_has_its_own_name_no_capability_and_time_to_drain(name: str) -> None:
    node = SERVICES[name]
    assert node["environment"]["SHARDKEEPER_NODE_ID"] == name
    assert node["cap_drop"] == ["ALL"]
    assert node["read_only"] is True
    assert int(node["stop_grace_period"].removesuffix("s")) > 30


def test_each_zookeeper_server_has_its_own_number_and_the_setup_script_knows_its_port() -> None:
    servers = {name: each for name, each in SERVICES.items() if name.startswith("zookeeper-")}
    script = (ROOT / "tools" / "setup-zookeeper").read_text()
    for name, server in servers.items():
        number = server["environment"]["ZOO_MY_ID"]
        assert name == f"zookeeper-{number}"
        assert f"server.{number}={name}:2888:3888;2181" in server["environment"]["ZOO_SERVERS"]
        assert server["ports"][0].rpartition(":")[0] in script
