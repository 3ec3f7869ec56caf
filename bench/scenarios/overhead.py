"""What a worker costs: attempts of a task that does nothing through the port of the workers, beside the same through
the standard library's pool of processes.

The processor time beside the rates says more than they do on a machine that does other things too.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.scenarios.pool import WORKERS, Pool, bare_pool, our_pool, supervisor
from bench.suite.scenario import Figure, Round, Scenario
from shardkeeper.ports.workers import Isolation

ATTEMPTS, IN_FLIGHT, ALONE = 20_000, 32, 300


def measure() -> Round:
    """Each pool after the other."""
    figures: dict[str, float] = {}
    with bare_pool() as bare:
        figures |= _named("bare", _figures(bare))
    for isolation in ("process", "thread"):
        figures |= _named(isolation, _ours(isolation))
    figures["over_bare"] = 1e6 / figures["process_rate"] - 1e6 / figures["bare_rate"]
    return Round(figures)


def run(pool: Pool, attempts: int, in_flight: int) -> float:
    """Seconds that so many took, never more than ``in_flight`` at once."""
    began = time.perf_counter()
    asked = ended = 0
    while ended < attempts:
        while asked < attempts and asked - ended < in_flight:
            pool.submit()
            asked += 1
        ended += pool.wait()
    return time.perf_counter() - began


def _figures(pool: Pool, spent_us: Callable[[], tuple[float, ...]] = tuple) -> dict[str, float]:
    run(pool, ATTEMPTS // 10, IN_FLIGHT)
    before = spent_us()
    rate = ATTEMPTS / run(pool, ATTEMPTS, IN_FLIGHT)
    shares = [(now - then) / ATTEMPTS for now, then in zip(spent_us(), before, strict=True)]
    alone = statistics.median(run(pool, 1, 1) * 1e6 for _ in range(ALONE))
    return {"rate": rate, "alone": alone, **dict(zip(("node", "worker"), shares, strict=False))}


def _ours(isolation: Isolation) -> dict[str, float]:
    with our_pool(isolation) as pool:
        run(pool, 1, 1)
        thread = Path(f"/proc/self/task/{supervisor()}")
        return _figures(pool, lambda: (_thread_us(thread), sum(map(_process_us, _children()))))


def _process_us(pid: int) -> float:
    """Microseconds of processor time that the living threads of a process have had."""
    return sum(map(_thread_us, Path(f"/proc/{pid}/task").iterdir()))


def _thread_us(thread: Path) -> float:
    return int((thread / "schedstat").read_text().split()[0]) / 1000


def _children() -> list[int]:
    """Of this process, whichever thread started them."""
    paths = (thread / "children" for thread in Path("/proc/self/task").iterdir())
    return [int(pid) for path in paths for pid in path.read_text().split()]


def _named(kind: str, figures: dict[str, float]) -> dict[str, float]:
    return {f"{kind}_{name}": figure for name, figure in figures.items()}


def _of_ours(isolation: str) -> tuple[Figure, ...]:
    return (
        Figure(f"{isolation}_rate", f"isolation `{isolation}`: attempts per second", "/s"),
        Figure(f"{isolation}_alone", "one alone, there and back", "µs"),
        Figure(f"{isolation}_node", "processor time of the node for each", "µs"),
        Figure(f"{isolation}_worker", "processor time of the workers for each", "µs"),
    )


SCENARIO = Scenario(
    "overhead",
    "A worker's overhead",
    f"{ATTEMPTS:,} attempts of a task that does nothing on {WORKERS} workers, {IN_FLIGHT} at once, and then {ALONE} "
    "one by one: through the port of the node's workers (three phases, log capture, time-outs, stop, a typed outcome), "
    "and through `concurrent.futures.ProcessPoolExecutor`. No PostgreSQL: what a fire costs with its record, in all "
    "processes together, is a figure of `make bench-sustained`.",
    (
        Figure("bare_rate", "`ProcessPoolExecutor`: tasks per second", "/s"),
        Figure("bare_alone", "one alone, there and back", "µs"),
        *_of_ours("process"),
        *_of_ours("thread"),
        Figure("over_bare", "isolation `process` over `ProcessPoolExecutor`, for each attempt", "µs"),
    ),
    measure,
)
