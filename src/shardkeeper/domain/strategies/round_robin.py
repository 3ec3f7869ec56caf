"""ElasticJob's RoundRobinByNameJobShardingStrategy: the nodes turned by the hash of the job's name, then ``average``.

Where a name's hash is the most negative number ("polygenelubricants" is such a name), ElasticJob's ``Math.abs``
leaves it negative and its strategy throws IndexOutOfBoundsException, unless the number of nodes is a power of
two; here the nodes are turned by the floor modulus, which is the same wherever ElasticJob answers at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from shardkeeper.domain.strategies import average, java


def assign(job_name: str, total: int, node_ids: Sequence[str]) -> tuple[str, ...]:
    """The owner of each item among nodes sorted by node_id, of which there is at least one."""
    offset = java.absolute(java.string_hash(job_name)) % len(node_ids)
    return average.assign(total, (*node_ids[offset:], *node_ids[:offset]))
