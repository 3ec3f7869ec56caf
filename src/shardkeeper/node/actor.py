"""In whose name a face orders."""

from __future__ import annotations

import getpass
import os


def actor() -> str:
    """The name of the user this process runs as, for ``requested_by`` and the audit."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
