"""``python -m shardkeeper.simulation [--seed N] [--runs N] [--events N]``."""

from __future__ import annotations

from shardkeeper.simulation.runner import main

if __name__ == "__main__":
    raise SystemExit(main())
