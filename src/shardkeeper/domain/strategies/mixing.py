"""Pseudo-random numbers that every node works out alike: by job, by node, and by item.

Python's own ``hash`` differs between processes, and ``random`` promises its sequence for floats only; blake2b,
SHAKE128 and whole-number arithmetic are the same everywhere.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from hashlib import shake_128
from math import log1p

_MASK = (1 << 64) - 1
# the odd multipliers of MurmurHash3's 64-bit finalizer (Appleby; public domain), known for their avalanche
_FIRST = 0xFF51AFD7ED558CCD
_SECOND = 0xC4CEB9FE1A85EC53
_WORD_BYTES = 4
_WORD_SCALE = -(2.0**-32)
_SWAP = sys.byteorder == "big"


def draws(number: int, seeds: Sequence[int]) -> list[int]:
    """For each node's seed a whole number, uniform in 0..2^64-1, fixed by ``number`` (a job, say) and the seed."""
    found = []
    for seed in seeds:
        x = ((number ^ seed) * _FIRST) & _MASK
        x = ((x ^ (x >> 32)) * _SECOND) & _MASK
        found.append(x ^ (x >> 29))
    return found


def unit(draw: int) -> float:
    """A draw as a number strictly between 0 and 1."""
    return ((draw >> 12) + 0.5) * 2.0**-52


def waits(found: Sequence[int], weights: Sequence[float]) -> list[float]:
    """Draws as exponential waiting times with the weights as rates.

    The shortest of them is the i-th with probability weight_i / sum of the weights, and which it is among some
    does not depend on the others: weighted rendezvous hashing (Schindelhauer and Schomaker, 2005).
    """
    return [-log1p(-unit(draw)) / weight for draw, weight in zip(found, weights, strict=True)]


def item_words(job_key: bytes, node_key: bytes, total: int) -> Sequence[int]:
    """For each of ``total`` items a whole number, uniform in 0..2^32-1, fixed by job, node and item."""
    words = array("I", shake_128(job_key + node_key).digest(_WORD_BYTES * total))
    if _SWAP:
        words.byteswap()
    return words


def item_wait(word: int, weight: float) -> float:
    """An item word as exponential waiting time with rate ``weight``; see ``waits``."""
    return -log1p((word + 0.5) * _WORD_SCALE) / weight
