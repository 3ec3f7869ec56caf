"""ElasticJob's AverageAllocationJobShardingStrategy: consecutive items, the left-over ones to the first nodes.

The facts are from Apache ShardingSphere ElasticJob's strategies and their unit tests. Its "job instances" are
our nodes, sorted by node_id. 3 nodes and 8 items: 1 = [0, 1, 6], 2 = [2, 3, 7], 3 = [4, 5].
"""

from __future__ import annotations

from collections.abc import Sequence


def assign(total: int, node_ids: Sequence[str]) -> tuple[str, ...]:
    """The owner of each item among nodes in the order given; weights do not count. There is at least one node."""
    each, left = divmod(total, len(node_ids))
    even = [node_id for node_id in node_ids for _ in range(each)]
    return (*even, *node_ids[:left])
