"""How many items of a job each node gets: the exact quota, rounded down or up.

With N items and weights w the quota of node i is N * w_i / W. Everybody gets the whole part; the items left over
go, one each, to nodes drawn by the job's name, each with about the chance that its fraction says. So over many
jobs the left-over items (and with them all one-item jobs) spread in proportion to the weights.

The chances are exact with equal weights, with one item left over (so for every one-item job), and with all but
one node getting one. Otherwise the draw is Pareto sampling (Rosén, 1997): of the right number, and with chances
close to the fractions, as a test with extreme weights holds on to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import log, log1p

from shardkeeper.domain.roster import Roster
from shardkeeper.domain.strategies.mixing import unit

_LEAST = 2.0**-1000
_MOST = 1.0 - 2.0**-53


def loads(total: int, roster: Roster, draws: Sequence[int]) -> list[int]:
    """Number of items for each node of a roster that is not empty; their sum is ``total``.

    ``draws``: the job's draw for each node, of which only the order and the fractions' share of it count.
    """
    whole = sum(roster.shares)
    parts = [divmod(total * share, whole) for share in roster.shares]
    found = [part for part, _ in parts]
    left = total - sum(found)
    if left:
        fractions = {i: rest / whole for i, (_, rest) in enumerate(parts) if rest}
        for i in _drawn(left, fractions, draws, roster.equal_weights):
            found[i] += 1
    return found


def _drawn(left: int, fractions: Mapping[int, float], draws: Sequence[int], equal: bool) -> Iterable[int]:
    """Positions of the ``left`` nodes that get one item more."""
    if equal:
        return sorted(range(len(draws)), key=lambda i: (draws[i], i))[:left]
    # more than `left` fractions are above 0, since none reaches 1 and they add up to `left`; the clamps mend rounding
    chances = {i: min(max(part, _LEAST), _MOST) for i, part in fractions.items()}
    units = {i: unit(draws[i]) for i in chances}
    if left == 1:
        return (min(chances, key=lambda i: (-log1p(-units[i]) / chances[i], i)),)
    if left == len(chances) - 1:
        out = min(chances, key=lambda i: (-log(units[i]) / (1.0 - chances[i]), i))
        return [i for i in chances if i != out]
    return sorted(chances, key=lambda i: (_pareto(units[i], chances[i]), i))[:left]


def _pareto(drawn: float, chance: float) -> float:
    return drawn / (1.0 - drawn) * ((1.0 - chance) / chance)
