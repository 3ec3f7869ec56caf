"""Which jobs follow which: from the ``follows`` of all jobs that follow others, to what is shown of one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Following = Mapping[str, Mapping[str, Any]]
"""What each job follows, by its name; jobs that follow none are not in it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a tree. ``on``: which end of the job above (or, upwards, of this one) counts. ``again``: what is
    beyond it stands in the tree already."""

    depth: int
    job: str
    on: str
    again: bool = False


def followed_by(following: Following, name: str) -> list[str]:
    """The jobs that follow this one directly."""
    return sorted(job for job, follows in following.items() if name in follows.get("jobs", ()))


def steps_after(following: Following, name: str) -> list[Step]:
    """What follows the job, and what follows that."""
    return list(
        _steps(lambda job: [(each, _on(following, each)) for each in followed_by(following, job)], name)
    )


def steps_before(following: Following, name: str) -> list[Step]:
    """What the job follows, and what that follows."""
    return list(
        _steps(
            lambda job: [
                (each, _on(following, job)) for each in sorted(following.get(job, {}).get("jobs", ()))
            ],
            name,
        )
    )


def _on(following: Following, follower: str) -> str:
    return str(following[follower].get("on", "completed"))


def _steps(next_of: Callable[[str], list[tuple[str, str]]], name: str) -> Iterator[Step]:
    """Depth first; a job that is reached by several ways is gone into once."""
    shown: set[str] = set()
    left = [(1, job, on) for job, on in reversed(next_of(name))]
    while left:
        depth, job, on = left.pop()
        beyond = next_of(job)
        again = job in shown and bool(beyond)
        yield Step(depth, job, on, again)
        if job not in shown:
            shown.add(job)
            left += [(depth + 1, each, why) for each, why in reversed(beyond)]
