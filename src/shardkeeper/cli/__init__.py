"""Floor 4: the command line. One file per group of commands; it knows the node's operations and the domain alone."""

from __future__ import annotations

from shardkeeper.cli.root import main

__all__ = ["main"]
