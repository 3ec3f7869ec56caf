"""Members made ready for sharding: sorted, hashed and weighed once for the many jobs that are dealt among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from shardkeeper.domain.view import Member, matches

KEY_BYTES = 16


class Roster:
    """The members that items are dealt to, sorted by ``node_id``.

    Build one for each change of the effective members and use it for every job: it keeps what it has worked
    out. Two rosters are never equal, so that one can be the key of a cache for the cost of an address.
    """

    __slots__ = (
        "_by_selector",
        "equal_weights",
        "keys",
        "members",
        "node_ids",
        "positions",
        "seeds",
        "shares",
        "weights",
    )

    def __init__(self, members: Iterable[Member]) -> None:
        by_id = {member.node_id: member for member in members}
        self.node_ids: tuple[str, ...] = tuple(sorted(by_id))
        self.members: tuple[Member, ...] = tuple(by_id[node_id] for node_id in self.node_ids)
        self.positions: dict[str, int] = {node_id: i for i, node_id in enumerate(self.node_ids)}
        self.keys: tuple[bytes, ...] = tuple(key_of(node_id) for node_id in self.node_ids)
        self.seeds: tuple[int, ...] = tuple(number_of(key) for key in self.keys)
        self.weights: tuple[float, ...] = tuple(float(member.weight) for member in self.members)
        self.shares: tuple[int, ...] = _whole_numbers(self.weights)
        self.equal_weights: bool = len(set(self.weights)) <= 1
        self._by_selector: dict[frozenset[tuple[str, str]], Roster] = {}

    def __len__(self) -> int:
        return len(self.node_ids)

    def eligible(self, selector: Mapping[str, str] | None) -> Roster:
        """The roster of those members that have every label of ``selector``; itself without one."""
        if not selector:
            return self
        wanted = frozenset(selector.items())
        found = self._by_selector.get(wanted)
        if found is None:
            found = Roster(member for member in self.members if matches(member.labels, selector))
            self._by_selector[wanted] = found
        return found


def key_of(name: str) -> bytes:
    """16 bytes that stand for a name, the same in every process, on every machine and in every version."""
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def number_of(key: bytes) -> int:
    """The first 64 bits of a key."""
    return int.from_bytes(key[:8], "big")


def _whole_numbers(weights: tuple[float, ...]) -> tuple[int, ...]:
    """Whole numbers in exactly the proportions of ``weights``, so that quotas need no rounding."""
    ratios = [weight.as_integer_ratio() for weight in weights]
    # a float's denominator is a power of two: the largest is a multiple of all others
    common = max((denominator for _, denominator in ratios), default=1)
    return tuple(numerator * (common // denominator) for numerator, denominator in ratios)
