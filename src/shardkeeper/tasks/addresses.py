"""Which addresses a request may be sent to. Pure: it resolves nothing.

Whoever submits chooses the URL, and the node stands where he does not: beside databases, control planes and the
machine's metadata service, which hands out credentials to whoever asks. So only public unicast addresses are reached
unless the node's ``tasks.allowed_networks`` says otherwise, and an address is judged, never a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # nearly every cloud
        "169.254.170.2",  # AWS ECS: credentials of a container
        "169.254.170.23",  # AWS EKS Pod Identity
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS EKS Pod Identity
        "fd20:ce::254",  # Google Cloud
        "100.100.100.200",  # Alibaba Cloud
        "192.0.0.192",  # Oracle Cloud
        "168.63.129.16",  # Azure's WireServer, which has a public address
    )
)
"""Services of clouds that give credentials away. A network opens one only by naming it alone (/32, /128): whoever
allows 0.0.0.0/0 does not mean these."""

_NAT64: Final = IPv6Network("64:ff9b::/96")


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """From CIDR texts. Raises ValueError."""
    return tuple(ip_network(text) for text in texts)


def refusal(address: str, allowed: Iterable[Network] = ()) -> str | None:
    """Why nothing is sent to ``address`` (as getaddrinfo gives it), or None when it may be.

    An IPv6 address that carries an IPv4 address is judged as both.
    """
    outer = ip_address(address.partition("%")[0])
    nets = tuple(allowed)
    reasons = (_refused(one, nets) for one in _meant(outer))
    return next((reason for reason in reasons if reason is not None), None)


def _meant(address: Address) -> Iterator[Address]:
    """The addresses to be judged: itself, and IPv4 addresses that the kernel, a translator or a tunnel makes of it."""
    if isinstance(address, IPv4Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address in _NAT64:
        # how an IPv6-only network reaches IPv4
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    else:
        yield address
        if address.sixtofour is not None:
            yield address.sixtofour
        yield from address.teredo or ()


def _refused(address: Address, allowed: tuple[Network, ...]) -> str | None:
    kind = _kind(address)
    if kind is None:
        return None
    fitting = [one for one in allowed if one.version == address.version and address in one]
    if kind == "metadata":
        fitting = [one for one in fitting if one.num_addresses == 1]
    return None if fitting else kind


def _kind(address: Address) -> str | None:
    """What it is, when it is not a public unicast address."""
    if address in METADATA:
        return "metadata"
    kinds = (
        ("link-local", address.is_link_local),
        ("loopback", address.is_loopback),
        ("unspecified", address.is_unspecified),
        ("multicast", address.is_multicast),
        ("private", address.is_private),
        ("reserved", address.is_reserved),
        ("not public", not address.is_global),
        # deprecated, and is_global does not know it
        ("site-local", isinstance(address, IPv6Address) and address.is_site_local),
    )
    return next((name for name, is_so in kinds if is_so), None)
