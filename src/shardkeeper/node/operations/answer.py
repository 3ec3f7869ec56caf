"""An answer with what should be said beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """``notes``: what whoever reads ``value`` should know of it, such as that ZooKeeper could not be asked."""

    value: T
    notes: tuple[str, ...] = ()
