"""A weighted price index: each item reads the feeds that were dealt to it, for its region, and publishes one value
per symbol.

ImplSpec parameters: ``low`` and ``high`` bound a believable index; ``quorum`` is the part of the feeds' weight that
must have answered;
``timeout_s`` is for one feed. The feeds' base address is taken from the environment variable ``SAMPLE_FEEDS_URL``.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections import defaultdict
from dataclasses import dataclass

from shardkeeper import CalculateValue, DistributeTask, ShardContext, ValidationError


@dataclass(frozen=True)
class Quotes:
    """What the feeds of one item said: prices by symbol, each with the weight of its feed."""

    prices: dict[str, list[tuple[float, float]]]
    answered: float
    wanted: float


class PriceIndex(DistributeTask):
    """Feeds in, one weighted mean per symbol out."""

    def __init__(self) -> None:
        self._quotes: Quotes | None = None

    def initialize(self, context: ShardContext) -> Quotes:
        """Read every feed of this item; one that does not answer only costs its weight."""
        prices: dict[str, list[tuple[float, float]]] = defaultdict(list)
        answered = 0.0
        for number, source in enumerate(context.sources, start=1):
            try:
                quoted = _read(
                    f"{source.location}?region={context.item_parameter}", context.parameters["timeout_s"]
                )
            except (OSError, ValueError) as error:
                context.log.warning("feed %s did not answer: %s", source.key, error)
                continue
            answered += source.weight
            for symbol, price in quoted.items():
                prices[symbol].append((float(price), source.weight))
            context.progress(number / len(context.sources), f"{number} of {len(context.sources)} feeds")
        wanted = sum(source.weight for source in context.sources)
        self._quotes = Quotes(dict(prices), answered, wanted)
        return self._quotes

    def calculate(self, context: ShardContext, data: Quotes) -> list[CalculateValue]:
        """The weighted mean of each symbol; its weight is the sum of the weights behind it."""
        values = []
        for symbol, quotes in sorted(data.prices.items()):
            weight = sum(weight for _, weight in quotes)
            mean = sum(price * weight for price, weight in quotes) / weight
            values.append(CalculateValue(f"{context.item_parameter}/{symbol}", round(mean, 4), weight))
        return values

    def validate_calculation(self, context: ShardContext, values: list[CalculateValue]) -> None:
        """Refuse an index that too few feeds stand behind, or that nobody would believe."""
        quotes, quorum = self._quotes, float(context.parameters["quorum"])
        if quotes is None or quotes.answered < quorum * quotes.wanted:
            have = quotes.answered if quotes else 0.0
            want = quotes.wanted if quotes else 0.0
            raise ValidationError(f"feeds of weight {have:g} answered of {want:g}; {quorum:.0%} are needed")
        low, high = float(context.parameters["low"]), float(context.parameters["high"])
        for value in values:
            if not low <= value.value <= high:
                raise ValidationError(f"{value.key} is {value.value:g}, outside {low:g} to {high:g}")


def _read(path: str, timeout_s: float) -> dict[str, float]:
    base = os.environ["SAMPLE_FEEDS_URL"].rstrip("/")
    with urllib.request.urlopen(f"{base}/{path}", timeout=timeout_s) as answer:
        prices: dict[str, float] = json.load(answer)["prices"]
    return prices
