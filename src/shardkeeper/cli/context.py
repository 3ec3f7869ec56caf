"""What a command works with: the operations.

The adapters are loaded when a command first asks for the operations: `next` of an expression, wrong usage and help
answer at once.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import click

from shardkeeper.node.operations import Operations

COMPOSITION: Final = "shardkeeper.node.compose_operations"


def operations() -> Operations:
    """Those that the settings lead to, or those that the command line was called with. Raises SettingsInvalid."""
    root = click.get_current_context().find_root()
    if root.obj is None:
        compose: Any = importlib.import_module(COMPOSITION)
        root.obj = made = compose.make_operations(compose.read_settings())
        root.call_on_close(made.close)
    found: Operations = root.obj
    return found
