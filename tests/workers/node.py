"""A process that stands for a node: it starts two tasks that hang and waits to be killed. FOLDER HOW."""

from __future__ import annotations

import sys
from pathlib import Path

from shardkeeper.workers.pool import ProcessWorkers
from tests.workers.hall import Hall, settings


def main() -> None:
    folder, how = Path(sys.argv[1]), sys.argv[2]
    hall = Hall(ProcessWorkers(settings(minimum=3, capacity=3)), folder)
    hall.submit("Hangs", {"child": True, "how": how})
    hall.told("hanging")
    (folder / "ready").write_text("yes")
    sys.stdin.read()


if __name__ == "__main__":
    main()
