"""The guard: a small process that outlives the node by a moment and kills what its workers left running.

Workers see the node's death by themselves and kill their own group. One that cannot (a C extension that holds the
interpreter's lock, a stopped process), or whose task started processes in sessions of their own, is found here by its
mark.
"""

from __future__ import annotations

import os
import sys

from shardkeeper.workers.strays import kill_marked


def main() -> None:
    """Wait for standard input to end (the node holds the other end and writes nothing), then kill all with the mark."""
    while os.read(0, 4096):
        pass
    kill_marked(sys.argv[1])


if __name__ == "__main__":
    main()
