"""The scores of a job's items with nodes, the lower the better; see ``balanced``."""

from __future__ import annotations

from collections.abc import Sequence

from shardkeeper.domain.strategies.mixing import item_wait, item_words


class Scores:
    """Scores by position of the node and by item.

    With equal weights a score is the pair's word itself. Else it is a waiting time with the node's weight as
    rate, of which only those are worked out that are looked at, because logarithms are what costs here.
    """

    def __init__(
        self, job_key: bytes, node_keys: Sequence[bytes], total: int, weights: Sequence[float] | None
    ) -> None:
        """``weights``: one for each node, or None when all are equal."""
        self._rows = [item_words(job_key, key, total) for key in node_keys]
        self._weights = weights

    def of(self, node: int, item: int) -> float:
        """The score of one pair."""
        word = self._rows[node][item]
        return word if self._weights is None else item_wait(word, self._weights[node])

    def of_item(self, item: int) -> list[float]:
        """The scores of one item with all nodes."""
        return [self.of(node, item) for node in range(len(self._rows))]

    def best(self) -> list[int]:
        """For each item the node with the lowest score."""
        if self._weights is None:
            return _lowest(self._rows)
        alike: dict[float, list[int]] = {}
        for node, weight in enumerate(self._weights):
            alike.setdefault(weight, []).append(node)
        best_alike, their_scores = [], []
        for weight, nodes in alike.items():
            rows = [self._rows[node] for node in nodes]
            lowest = _lowest(rows)
            best_alike.append([nodes[i] for i in lowest])
            their_scores.append([item_wait(rows[i][item], weight) for item, i in enumerate(lowest)])
        chosen = _lowest(their_scores)
        return [best_alike[group][item] for item, group in enumerate(chosen)]


def _lowest(rows: Sequence[Sequence[float]]) -> list[int]:
    """For each column the position of its lowest value, the first of equals."""
    return [column.index(min(column)) for column in zip(*rows, strict=True)]
