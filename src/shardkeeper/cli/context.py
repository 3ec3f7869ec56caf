"""What a command works with: the operations, and in whose name."""

from __future__ import annotations

import getpass
import os

import click

from shardkeeper.node.compose_operations import make_operations, read_settings
from shardkeeper.node.operations import Operations


def operations() -> Operations:
    """Those that the settings lead to, or those that the command line was called with. Raises SettingsInvalid."""
    root = click.get_current_context().find_root()
    if root.obj is None:
        root.obj = made = make_operations(read_settings())
        root.call_on_close(made.close)
    found: Operations = root.obj
    return found


def actor() -> str:
    """Who orders: the name of the user, for the audit."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
