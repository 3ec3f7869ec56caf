"""ElasticJob's OdevitySortByNameJobShardingStrategy: by node_id upwards when the hash of the job's name is odd,
downwards when it is even; then as ``average``.

3 nodes and 2 items: odd 1 = [0], 2 = [1], 3 = []; even 3 = [0], 2 = [1], 1 = [].
"""

from __future__ import annotations

from collections.abc import Sequence

from shardkeeper.domain.strategies import average, java


def assign(job_name: str, total: int, node_ids: Sequence[str]) -> tuple[str, ...]:
    """The owner of each item among nodes sorted by node_id, of which there is at least one."""
    even = java.string_hash(job_name) % 2 == 0
    return average.assign(total, node_ids[::-1] if even else node_ids)
