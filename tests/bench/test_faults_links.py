"""What lies between a node and its stores, struck as one."""

from __future__ import annotations

import socket

import pytest

from bench.faults.links import Links, through
from bench.faults.relay import Relay


def test_a_url_leads_through_a_relay_with_all_that_it_says() -> None:
    with Relay("127.0.0.1:1") as relay:
        assert (
            through("postgresql://user:secret@127.0.0.1:1/base?sslmode=disable", relay)
            == f"postgresql://user:secret@127.0.0.1:{relay.port}/base?sslmode=disable"
        )
        assert through("http://127.0.0.1:1/api/", relay) == f"http://127.0.0.1:{relay.port}/api/"


def test_each_server_has_a_relay_and_all_of_a_store_are_cut_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        hosts = f"127.0.0.1:{server.getsockname()[1]}"
        links = Links(hosts, f"{hosts},{hosts},{hosts}")
        ports = [int(host.rpartition(":")[2]) for host in links.zookeeper.hosts.split(",")]
        assert len(set(ports)) == 3
        links.zookeeper.cut()
        for port in ports:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
        socket.create_connection(("127.0.0.1", links.postgres.relays[0].port)).close()
        links.mend()
        for port in ports:
            socket.create_connection(("127.0.0.1", port)).close()
        links.close()
