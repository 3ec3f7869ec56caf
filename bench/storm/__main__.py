"""``make storm``: submitted tasks of all kinds, while nodes and worker processes are killed with SIGKILL.

Starts its own PostgreSQL (which flushes its commits), ZooKeeper and nodes, submits a stream of tasks (no-ops, brief
ones, ones that fail at first, ones with checkpoints, ones that exit, and poison, which kills every worker that touches
it), and kills a worker process or a node every second or so, as many as are allowed; killed nodes are started again a
moment later. When all is drained the whole history is judged (bench/storm/judge.py). Exit 1 names what does not hold;
the folder with the nodes' logs and what the tasks told is kept then.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

from bench.cluster import cluster
from bench.storm.options import Options
from bench.storm.report import report
from bench.storm.storm import storm


def main() -> None:
    options = _arguments()
    _say(" ".join(f"{field.name}={getattr(options, field.name)}" for field in fields(options)))
    folder = Path(tempfile.mkdtemp(prefix="shardkeeper-storm-", dir="/var/tmp"))
    with cluster(nodes=0, workers=options.workers) as running:
        verdict = storm(running.url, running.environment, folder, options, _say)
    for line in report(verdict):
        _say(line)
    if verdict.violations:
        _say(f"logs and witness: {folder}")
        sys.exit(1)
    shutil.rmtree(folder)


def _arguments() -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m bench.storm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    standard = Options()
    texts = {
        "tasks": "how many are submitted",
        "nodes": "how many run",
        "workers": "of each node",
        "node_kills": "at most",
        "worker_kills": "at most",
        "kill_every_s": "seconds from one kill to the next, about",
        "seed": "of what is submitted and who is killed",
        "patience_s": "seconds in which nothing ends before it gives up",
    }
    for name, text in texts.items():
        value = getattr(standard, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(value), default=value, help=f"{text} (%(default)s)"
        )
    return Options(**vars(parser.parse_args()))


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)  # noqa: T201  a benchmark's output is what it prints


if __name__ == "__main__":
    main()
