"""The one line that `systemctl status` shows, kept true by the facts."""

from __future__ import annotations

from collections.abc import Callable

from shardkeeper.domain.facts import (
    CoordinatorSeen,
    Draining,
    FoundDead,
    Joined,
    JoinRefused,
    ListenerChanged,
    MembersChanged,
    StoreFound,
    StoreLost,
    WorkersBack,
    WorkersLost,
)


class StatusLine:
    """Subscribes to ``heard`` on the board; ``say`` is told the whole line whenever it may have changed."""

    heard = (
        Joined,
        JoinRefused,
        FoundDead,
        Draining,
        MembersChanged,
        StoreLost,
        StoreFound,
        WorkersLost,
        WorkersBack,
        CoordinatorSeen,
        ListenerChanged,
    )
    """The facts that the line is made of."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._standing = "joining the cluster"
        self._members = ""
        self._troubles: dict[str, str | None] = {}

    def __call__(self, fact: object) -> None:
        """Take one fact in."""
        match fact:
            case Joined():
                self._standing = "active"
            case JoinRefused():
                self._standing = "waiting for this node's earlier life to end"
            case FoundDead():
                self._standing = "taken over by others, joining anew"
            case Draining(leaving):
                self._standing = "draining, then leaving" if leaving else "drained by order"
            case MembersChanged(epoch, nodes):
                self._members = f"view {epoch} of {len(nodes)} nodes"
            case StoreLost(reason):
                self._troubles["store"] = f"PostgreSQL away: {reason}"
            case StoreFound():
                self._troubles["store"] = None
            case WorkersLost(problem):
                self._troubles["workers"] = f"no workers: {problem}"
            case WorkersBack():
                self._troubles["workers"] = None
            case CoordinatorSeen(session, problems):
                self._troubles["coordinator"] = _coordinator_trouble(session, problems)
            case ListenerChanged(listening, problem):
                self._troubles["listener"] = None if listening else f"not listening: {problem}"
            case _:
                return
        troubles = [trouble for trouble in self._troubles.values() if trouble]
        self._say("; ".join(part for part in (self._standing, self._members, *troubles) if part))


def _coordinator_trouble(session: str, problems: tuple[str, ...]) -> str | None:
    if session != "connected":
        return "ZooKeeper away: the last view goes on"
    return f"ZooKeeper: {problems[0]}" if problems else None
