"""What a transaction may not leave behind: a job that follows one that there is not, or itself by way of others."""

from __future__ import annotations

from collections.abc import Iterable

from shardkeeper.memory.database import MemoryDatabase


def refuse_follows(database: MemoryDatabase, changed: Iterable[str]) -> None:
    """Judge what the changed jobs follow, and who follows those that are gone. Raises ValueError."""
    names = sorted(changed)
    for name in names:
        if name not in database.jobs:
            left = sorted(
                each for each in database.followers.get(name, ()) if name in _followed(database, each)
            )
            if left:
                verb = "follows" if len(left) == 1 else "follow"
                raise ValueError(
                    f"{name} cannot go: {', '.join(left)} {verb} it: let them follow another job, or none, in the"
                    " same transaction"
                )
    for name in names:
        for followed in sorted(_followed(database, name)):
            if followed not in database.jobs:
                raise ValueError(
                    f"{name} follows '{followed}', and there is no such job: insert it in the same transaction, or"
                    " before"
                )
    circle = [name for name in names if name in _above(database, name)]
    if circle:
        alone = len(circle) == 1
        what = (
            f"{circle[0]} would follow itself"
            if alone
            else (f"{', '.join(circle)} would follow one another in a circle")
        )
        raise ValueError(f"{what}: leave one of them out of follows")


def _followed(database: MemoryDatabase, name: str) -> list[str]:
    follows = database.jobs.get(name, {}).get("follows") or {}
    return list(follows.get("jobs", ()))


def _above(database: MemoryDatabase, name: str) -> set[str]:
    """All that the job follows, directly and by way of others."""
    found: set[str] = set()
    left = _followed(database, name)
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left += _followed(database, each)
    return found
