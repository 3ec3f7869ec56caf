"""Which addresses ``http-get`` reaches."""

from __future__ import annotations

import pytest

from shardkeeper.tasks.addresses import METADATA, networks, refusal

EVERYTHING = networks(["0.0.0.0/0", "::/0"])


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_reached(address: str) -> None:
    assert refusal(address) is None


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.9.9.9", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("::ffff:192.168.1.1", "private"),
        ("64:ff9b::c0a8:101", "private"),
        ("2002:a00:1::", "private"),
        ("fc00::1", "private"),
        ("100.64.0.1", "not public"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("240.0.0.1", "private"),
        ("255.255.255.255", "private"),
        ("fec0::1", "site-local"),
        ("169.254.169.254", "metadata"),
        ("::ffff:169.254.169.254", "metadata"),
        ("64:ff9b::a9fe:a9fe", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("168.63.129.16", "metadata"),
    ],
)
def test_all_others_are_refused_by_name(address: str, kind: str) -> None:
    assert refusal(address) == kind


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("127.0.0.0/8", "127.0.0.1"),
        ("127.0.0.0/8", "::ffff:127.0.0.1"),
        ("10.0.0.0/8", "10.2.3.4"),
        ("fd12::/16", "fd12::1"),
        ("169.254.0.0/16", "169.254.1.1"),
    ],
)
def test_a_network_that_the_node_allows_is_reached_and_no_other(network: str, address: str) -> None:
    assert refusal(address, networks([network])) is None
    assert refusal(address, networks(["203.0.113.0/24", "fd99::/16"])) is not None


@pytest.mark.parametrize("address", sorted(map(str, METADATA)))
def test_a_metadata_service_is_reached_only_where_it_is_allowed_by_itself(address: str) -> None:
    assert refusal(address, EVERYTHING) == "metadata"
    assert refusal(address, networks([address])) is None
