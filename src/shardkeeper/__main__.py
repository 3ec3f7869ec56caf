"""``python -m shardkeeper`` is the command ``shardkeeper``."""

from __future__ import annotations

from shardkeeper.cli import main

main()
