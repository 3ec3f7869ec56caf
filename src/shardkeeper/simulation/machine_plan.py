"""What a machine is, before anything runs on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MachinePlan:
    """``capacity``: attempts that may run at once. ``name``: of the machine; ``node_id``: of its daemon's node."""

    name: str
    node_id: str
    weight: float = 1.0
    labels: Mapping[str, str] = field(default_factory=dict)
    capacity: int = 4
    skew_s: float = 0.0
