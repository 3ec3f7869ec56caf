"""Keeps what this node has in the tree as it should be, and says what is seen there. Used by the owner's
thread alone."""

from __future__ import annotations

from shardkeeper.domain.errors import ShardkeeperError
from shardkeeper.domain.view import View
from shardkeeper.ports.coordinator import NodeInfo, Published, Refusal, Session, Snapshot
from shardkeeper.zookeeper.link import Link, LinkDown
from shardkeeper.zookeeper.membership import (
    Rewrite,
    Step,
    Wanted,
    held_by_another,
    own_candidate,
    row_of_candidates,
    steps,
    take,
    too_large,
)
from shardkeeper.zookeeper.options import ZooKeeperOptions
from shardkeeper.zookeeper.publication import publish, refused
from shardkeeper.zookeeper.reading import Paths, Reading, TreeMissing

_ROUNDS = 8


class Unsettled(ShardkeeperError):
    """The znodes changed under our hands each time we had brought them in order."""


class Keeper:
    """`joined` once this life's registration has been read back: from then on no refusal is taken as final."""

    def __init__(self, options: ZooKeeperOptions, info: NodeInfo) -> None:
        self._options = options
        self._paths = Paths(options.root)
        self.reading = Reading(self._paths)
        self._wanted = Wanted(info.node_id, info)
        self._left: str | None = None
        self._session: int | None = None
        self._load_written_at = float("-inf")
        self._held_since: float | None = None
        self._oversize: str | None = None
        self.joined = False

    def update(self, info: NodeInfo) -> None:
        """Another wish; what has left stays out until it comes with another incarnation."""
        if info.incarnation != self._left:
            self._wanted = Wanted(info.node_id, info)
            self._left = None

    def leave(self) -> None:
        """Want nothing in the tree any more."""
        if self._wanted.info is not None:
            self._left = self._wanted.info.incarnation
            self._wanted = Wanted(self._wanted.node_id, None)

    def session_over(self) -> None:
        """Whatever the session owned is gone."""
        self._session = None

    def connected(self, link: Link) -> None:
        """A link came up: nothing read before counts, and the server must first know what the ensemble
        knows."""
        self._held_since = None
        self.reading.everything_is_stale()
        link.wait([link.sync("/")])

    def settle(self, link: Link, now: float) -> float | None:
        """Read what is stale and bring our own znodes in order; the instant at which to be called again, if
        there is one.

        `now` is monotonic. Raises `LinkDown`, `Denied`, `Unsettled`; everything done so far then counts as
        unknown.
        """
        self._session = link.session
        if self._session is None:
            raise LinkDown
        for _ in range(_ROUNDS):
            self._read(link)
            todo, again_at = self._due(self._session, now)
            if not todo:
                return again_at
            if any(isinstance(step, Rewrite) for step in todo):
                self._load_written_at = now
            take(link, self._paths, self._wanted, todo)
            self.reading.is_stale(self._paths.node(self._wanted.node_id))
            self.reading.is_stale(self._paths.candidates)
        raise Unsettled

    def _read(self, link: Link) -> None:
        try:
            self.reading.refresh(link)
        except TreeMissing:
            self._make_tree(link)
            self.reading.everything_is_stale()
            self.reading.refresh(link)

    def _make_tree(self, link: Link) -> None:
        """Creating what exists may be refused for want of rights above it, so ask first."""
        parts = self._paths.root.strip("/").split("/")
        above = ["/" + "/".join(parts[: depth + 1]) for depth in range(len(parts))]
        for path in [*above, self._paths.nodes, self._paths.candidates]:
            (stat,) = link.wait([link.exists(path, watch=False)])
            if stat is None:
                link.wait([link.create(path, b"")])

    def _due(self, session: int, now: float) -> tuple[list[Step], float | None]:
        own = self.reading.nodes.get(self._wanted.node_id)
        todo = steps(self._wanted, session, own, self.reading.candidates)
        self._oversize = too_large(self._wanted.info) if self._wanted.info else None
        if self._oversize:
            return [], None
        self.joined = self.joined or (own is not None and own.owner == session)
        if held_by_another(self._wanted, session, own):
            self._held_since = now if self._held_since is None else self._held_since
            return todo, self._held_since + self._patience_s
        self._held_since = None
        write_at = self._load_written_at + self._options.load_every_s
        waiting = [step for step in todo if isinstance(step, Rewrite) and step.load_only and now < write_at]
        return [step for step in todo if step not in waiting], write_at if waiting else None

    @property
    def _patience_s(self) -> float:
        """How long an earlier life's session may last before the other one must be alive."""
        return 1.5 * self._options.session_timeout_s + 1.0

    def publish(self, link: Link, view: View, expected_version: int | None) -> Published:
        """Ask to publish; when it was done, `/view` is stale."""
        row = row_of_candidates(self.reading, self._wanted, link.session)
        if not row or not row[0].mine or link.session is None:
            return refused(view, Refusal.NOT_CANDIDATE, "this node is not the first candidate")
        candidate = own_candidate(self.reading, self._wanted, link.session)
        assert candidate is not None, "the first candidate is ours"
        answer = publish(link, self._paths, candidate, view, expected_version)
        self.reading.is_stale(self._paths.view)
        if answer.reason is Refusal.NOT_CANDIDATE:
            self.reading.is_stale(self._paths.candidates)
        return answer

    def snapshot(
        self, session: Session, link: Link, now: float, fatal: str | None, trouble: str | None
    ) -> Snapshot:
        """What is seen now; `trouble` is what is wrong with the link."""
        infos = [znode.info for znode in self.reading.nodes.values() if znode.info is not None]
        given = link.negotiated_timeout_s
        problems = [*([trouble] if trouble else []), *self._own_problems(now), *self.reading.problems()]
        if given is not None and abs(given - self._options.session_timeout_s) > 0.001:
            asked = self._options.session_timeout_s
            problems.append(f"ZooKeeper gave a session timeout of {given:g} s, not the {asked:g} s asked for")
        return Snapshot(
            session=session,
            session_timeout_s=given,
            nodes=tuple(sorted(infos, key=lambda info: info.node_id)),
            candidates=row_of_candidates(self.reading, self._wanted, self._session),
            view=self.reading.view,
            view_version=self.reading.view_version,
            problems=tuple(problems),
            fatal=fatal,
        )

    def _own_problems(self, now: float) -> list[str]:
        found = [self._oversize] if self._oversize else []
        if self._held_since is not None:
            found.append(self._held_text(now - self._held_since >= self._patience_s))
        return found

    def _held_text(self, alive: bool) -> str:
        own = self.reading.nodes.get(self._wanted.node_id)
        who = (
            f"incarnation {own.info.incarnation} on {own.info.host}"
            if own and own.info
            else "an unknown session"
        )
        if alive:
            return f"a second live node calls itself {self._wanted.node_id!r} ({who}): this one stays out"
        return f"waiting for the session of {who} to end, which holds the name {self._wanted.node_id!r}"
