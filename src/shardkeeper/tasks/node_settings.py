"""What this node allows the built-in tasks. Its worker is told once, at its start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict


class Told(TypedDict, total=False):
    """The settings as JSON, on their way to a worker process."""

    connections: Mapping[str, str]
    file_dirs: Sequence[str]
    allowed_networks: Sequence[str]


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Nothing is allowed unless it is told."""

    # not in repr: the URLs are secrets
    connections: Mapping[str, str] = field(default_factory=dict, repr=False)
    """URL of a database by name."""
    file_dirs: tuple[str, ...] = ()
    """Folders in which files may be read and written."""
    allowed_networks: tuple[str, ...] = ()
    """Networks (CIDR) that may be reached although they are not public."""


class _Held:
    settings = NodeSettings()


def tell(told: Told) -> None:
    """Replace the settings of this process."""
    _Held.settings = NodeSettings(
        dict(told.get("connections", {})),
        tuple(told.get("file_dirs", ())),
        tuple(told.get("allowed_networks", ())),
    )


def node_settings() -> NodeSettings:
    """The settings of this process."""
    return _Held.settings
