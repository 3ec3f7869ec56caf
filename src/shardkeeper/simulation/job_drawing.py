"""Jobs as people write them: drawn columns, good and bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

TASK, OTHER_TASK = "impl", "other"
"""Names of the ImplSpecs that exist. What the other one does can be rolled back."""

POOL, POOL_SIZE = "pool", 2
"""The pool that exists."""

_BAD_TIMES = ("61 * * * * *", "0 0 30 2 *", "* * * * * * *", "? * * * *", "*/2 nonsense * * *")
_CRONS = ("*/5 * * * * *", "*/7 * * * * *", "*/3 * * * * *", "2,9,40 * * * * *", "*/10 * * * * *")


def draw_times(rng: Random, now: datetime) -> dict[str, Any]:
    """When it is due: often, for much is to happen in a short time."""
    times: dict[str, Any] = {"cron": None, "every": None, "run_at": None}
    kind = rng.random()
    if kind < 0.45:
        times["every"] = timedelta(seconds=rng.choice((1, 2, 3, 5, 0.7, 7, 13)))
    elif kind < 0.85:
        times["cron"] = rng.choice(_CRONS)
    elif kind < 0.95:
        times["run_at"] = now + timedelta(seconds=rng.randint(1, 25))
    return times


def draw_job(rng: Random, now: datetime) -> dict[str, Any]:
    """All that may matter to the protocol."""
    failing = rng.random()
    return {
        "impl_spec": rng.choice((TASK, TASK, OTHER_TASK)),
        **draw_times(rng, now),
        **draw_sharding(rng),
        "misfire": rng.choice(("skip", "once", "all")),
        "misfire_grace": timedelta(seconds=rng.choice((86_400, 86_400, 20, 5))),
        "catch_up_limit": rng.choice((100, 3)),
        "overlap": rng.choice(("skip", "skip", "queue", "replace", "allow")),
        "failover": rng.random() < 0.9,
        "on_lease_loss": rng.choice(("continue", "stop")),
        "max_attempts": rng.choice((1, 2, 3)),
        "max_takeovers": rng.choice((3, 3, 1, 0)),
        "retry_delay": timedelta(seconds=rng.choice((0.5, 2))),
        "retry_max_delay": timedelta(seconds=4),
        "timeout": timedelta(seconds=rng.choice((2, 5, 8))),
        "node_selector": {"zone": "east"} if failing < 0.1 else {},
        **(draw_limits(rng) if rng.random() < 0.15 else {}),
    }


def draw_sharding(rng: Random) -> dict[str, Any]:
    """How it is split."""
    strategies = ("balanced", "balanced", "balanced", "average", "odevity", "round_robin", "each_node")
    return {
        "sharding_total_count": rng.choice((1, 1, 2, 3, 5)),
        "sharding_strategy": rng.choice(strategies),
    }


def draw_change(rng: Random, row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Columns of an existing job to change, so that it stays right."""
    kind = rng.random()
    if kind < 0.35:
        return draw_times(rng, now)
    if kind < 0.55:
        return {"enabled": not row.get("enabled", True)}
    if kind < 0.8:
        return draw_sharding(rng)
    return {"overlap": rng.choice(("skip", "queue", "replace", "allow"))}


def draw_bad_change(rng: Random) -> dict[str, Any]:
    """A change that SQL lets through and no node accepts."""
    return {"cron": rng.choice(_BAD_TIMES), "every": None, "run_at": None}


def draw_work(rng: Random) -> dict[str, Any]:
    """A job without a schedule: it runs when somebody submits to it."""
    zone = rng.random()
    selector = {"zone": "east"} if zone < 0.25 else {"zone": "north"} if zone < 0.32 else {}
    return {
        "impl_spec": rng.choice((TASK, TASK, OTHER_TASK)),
        "sharding_total_count": rng.choice((1, 1, 1, 2, 3)),
        "failover": rng.random() < 0.9,
        "on_lease_loss": rng.choice(("continue", "stop")),
        "priority": rng.choice((0, 0, 0, 1, -1)),
        "max_attempts": rng.choice((1, 2, 3)),
        "max_takeovers": rng.choice((3, 3, 1, 0)),
        "retry_delay": timedelta(seconds=rng.choice((0, 0.5, 2))),
        "retry_max_delay": timedelta(seconds=4),
        "timeout": timedelta(seconds=rng.choice((2, 5, 8))),
        "node_selector": selector,
        "give_up_on": rng.choice(([], [], ["WorkerDied"])),
        **(draw_limits(rng) if rng.random() < 0.4 else {}),
    }


def draw_limits(rng: Random) -> dict[str, Any]:
    """One of the limits that nodes share, and of the others none."""
    none: dict[str, Any] = {"pool": None, "max_running": None, "concurrency_key": None, "rate_limit": None}
    drawn: tuple[dict[str, Any], ...] = (
        {"pool": POOL},
        {"max_running": rng.choice((1, 2))},
        {"concurrency_key": "customer", "max_running_per_key": 1},
        {"rate_limit": rng.choice((2, 4)), "rate_period": timedelta(seconds=1)},
    )
    return none | rng.choice(drawn)


def draw_follower(rng: Random, names: Sequence[str]) -> dict[str, Any]:
    """A job that the completion of others starts."""
    followed = rng.sample(list(names), min(len(names), rng.choice((1, 1, 2))))
    condition = rng.choice(("completed", "completed", "failed", "ended"))
    return {
        "impl_spec": rng.choice((TASK, OTHER_TASK)),
        "max_attempts": rng.choice((1, 2)),
        "retry_delay": timedelta(seconds=0.5),
        "timeout": timedelta(seconds=5),
        "follows": {"jobs": followed, "on": condition},
    }


def draw_work_change(rng: Random, row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Columns of a job without a schedule to change; now and then it gets one."""
    kind = rng.random()
    if kind < 0.1:
        return {} if row.get("follows") else draw_times(rng, now)
    if kind < 0.4:
        return {"enabled": not row.get("enabled", True)}
    if kind < 0.5:
        return draw_limits(rng)
    drawn = draw_work(rng)
    chosen = rng.choice(("priority", "max_attempts", "sharding_total_count", "node_selector", "impl_spec"))
    return {chosen: drawn[chosen]}


def draw_parameters(rng: Random) -> dict[str, Any]:
    """What a submission asks for: mostly whatever the weather brings, sometimes steps, sometimes poison."""
    kind = rng.random()
    whose = {"customer": rng.choice("abc")} if rng.random() < 0.5 else {}
    if kind < 0.6:
        return whose
    if kind < 0.85:
        return {**whose, "steps": rng.randint(2, 6)}
    return {**whose, "does": rng.choice(("fails", "dies", "hangs", "cancels", "unstorable"))}
