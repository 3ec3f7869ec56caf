"""How many primes there are below a number: long work on demand, in steps, that goes on where it was interrupted."""

from __future__ import annotations

from math import isqrt
from typing import Any

from shardkeeper import Cancel, DistributeTask, ShardContext

MOST = 20_000_000


class CountPrimes(DistributeTask):
    """Parameters: ``below``, up to 20,000,000; ``step``, numbers between two checkpoints."""

    def initialize(self, context: ShardContext) -> int:
        """The number, judged before anything is done."""
        below = context.parameters["below"]
        if not isinstance(below, int) or not 0 <= below <= MOST:
            raise ValueError(f"below is {below!r}, not a whole number from 0 to {MOST}")
        return below

    def calculate(self, context: ShardContext, data: int) -> Any:
        """``primes`` below ``below``. A retry, a takeover or a rerun begins at the last checkpoint."""
        done, found = context.checkpoint.get("done", 0), context.checkpoint.get("found", 0)
        step = max(1, int(context.parameters.get("step", 100_000)))
        while done < data:
            if context.cancelled:
                raise Cancel(f"asked to stop at {done}")
            end = min(done + step, data)
            found += _primes(done, end)
            done = end
            context.save_checkpoint({"done": done, "found": found})
            context.progress(done / data, f"{found} primes below {done}")
        return {"below": data, "primes": found}


def _primes(start: int, end: int) -> int:
    """How many primes there are from ``start`` up to but not including ``end``: a segment of Eratosthenes' sieve."""
    start = max(start, 2)
    if start >= end:
        return 0
    sieve = bytearray([1]) * (end - start)
    for factor in range(2, isqrt(end - 1) + 1):
        first = max(factor * factor, -(-start // factor) * factor)
        sieve[first - start :: factor] = bytes(len(range(first - start, len(sieve), factor)))
    return sum(sieve)
