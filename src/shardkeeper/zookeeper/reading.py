"""What was last read of the tree, and how to read again just what a hint named.

A watch is a hint: it names a place to look at, never what lies there. Hints mark places as stale, and
everything stale is read in at most three batches. One node's change of load so costs each other node one
read, not a reading of the whole tree.

Three kinds of watches are left: on the children of `/nodes` and of `/candidates`, on `/view`, and on each
node's own znode: 3 + nodes. What a candidate says never changes, so it is read once and needs none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kazoo.exceptions import NoNodeError

from shardkeeper.domain.errors import ShardkeeperError
from shardkeeper.domain.view import View
from shardkeeper.ports.coordinator import NodeInfo
from shardkeeper.zookeeper.codec import Unreadable, decode_candidate, decode_node, decode_view
from shardkeeper.zookeeper.link import Link

_SEQUENCE = re.compile(r"[0-9]{10}")


class TreeMissing(ShardkeeperError):
    """The namespace, or a part of it, does not exist."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Where everything lies, absolute."""

    root: str

    @property
    def nodes(self) -> str:
        return f"{self.root}/nodes"

    @property
    def candidates(self) -> str:
        return f"{self.root}/candidates"

    @property
    def view(self) -> str:
        return f"{self.root}/view"

    def node(self, node_id: str) -> str:
        return f"{self.nodes}/{node_id}"

    def candidate(self, name: str) -> str:
        return f"{self.candidates}/{name}"


@dataclass(frozen=True, slots=True)
class NodeZnode:
    """`/nodes/<node_id>`: `owner` is the session that holds it (0: none, somebody made it by hand)."""

    owner: int
    version: int
    data: bytes
    info: NodeInfo | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CandidateZnode:
    """`/candidates/<seq>`; what cannot be read keeps its place in the row, since its session may be the one
    that leads."""

    owner: int
    node_id: str = ""
    incarnation: str = ""
    problem: str | None = None


@dataclass(slots=True)
class Reading:
    """The tree as last read."""

    paths: Paths
    nodes: dict[str, NodeZnode] = field(default_factory=dict)
    candidates: dict[str, CandidateZnode] = field(default_factory=dict)
    strange: tuple[str, ...] = ()
    view: View | None = None
    view_version: int | None = None
    view_problem: str | None = None
    _candidates_made: int = 0
    """czxid of `/candidates`."""
    _stale: set[str] = field(default_factory=set)

    def everything_is_stale(self) -> None:
        """Nothing that was read before may be relied on (a new connection, a poll)."""
        self._stale = {self.paths.nodes, self.paths.candidates, self.paths.view}
        self._stale.update(self.paths.node(node_id) for node_id in self.nodes)
        self.candidates.clear()

    def is_stale(self, path: str) -> None:
        """A hint names this place."""
        self._stale.add(path)

    def refresh(self, link: Link) -> None:
        """Read all that is stale; raises `LinkDown`, `Denied`, `TreeMissing`, and what was not read then
        stays stale."""
        self._refresh_lists(link)
        self._refresh_nodes(link)
        if self.paths.view in self._stale:
            self._refresh_view(link)
        self._stale.clear()

    def _refresh_lists(self, link: Link) -> None:
        lists = [path for path in (self.paths.nodes, self.paths.candidates) if path in self._stale]
        for path, answer in zip(lists, link.wait([link.children(path) for path in lists]), strict=True):
            if isinstance(answer, NoNodeError):
                raise TreeMissing(f"{path} does not exist")
            if isinstance(answer, Exception):
                raise answer
            names, stat = answer
            if path == self.paths.nodes:
                self._take_nodes(set(names))
            else:
                self._take_candidates(link, set(names), stat.czxid)

    def _take_nodes(self, names: set[str]) -> None:
        self._stale.update(self.paths.node(name) for name in names - self.nodes.keys())
        for gone in self.nodes.keys() - names:
            del self.nodes[gone]
            self._stale.discard(self.paths.node(gone))

    def _take_candidates(self, link: Link, names: set[str], made: int) -> None:
        if made != self._candidates_made:
            # another /candidates: its numbers began anew, so a name that we know may be somebody else's now
            self.candidates.clear()
            self._candidates_made = made
        self.strange = tuple(sorted(name for name in names if not _SEQUENCE.fullmatch(name)))
        names -= set(self.strange)
        for gone in self.candidates.keys() - names:
            del self.candidates[gone]
        fresh = sorted(names - self.candidates.keys())
        found = link.wait([link.get(self.paths.candidate(name), watch=False) for name in fresh])
        for name, answer in zip(fresh, found, strict=True):
            if isinstance(answer, tuple):
                self.candidates[name] = _candidate(name, answer[0], answer[1].ephemeralOwner)

    def _refresh_nodes(self, link: Link) -> None:
        head = self.paths.nodes + "/"
        names = sorted(path.removeprefix(head) for path in self._stale if path.startswith(head))
        found = link.wait([link.get(self.paths.node(name), watch=True) for name in names])
        for name, answer in zip(names, found, strict=True):
            if isinstance(answer, tuple):
                data, stat = answer
                self.nodes[name] = _node(name, data, stat.ephemeralOwner, stat.version)
            else:
                self.nodes.pop(name, None)

    def _refresh_view(self, link: Link) -> None:
        (answer,) = link.wait([link.get(self.paths.view, watch=True)])
        if not isinstance(answer, tuple):
            # a read that finds nothing leaves no watch; asking whether it exists does
            (stat,) = link.wait([link.exists(self.paths.view, watch=True)])
            (answer,) = link.wait([link.get(self.paths.view, watch=True)]) if stat else (None,)
        self.view, self.view_version, self.view_problem = None, None, None
        if not isinstance(answer, tuple):
            return
        self.view_version = answer[1].version
        try:
            self.view = decode_view(answer[0])
        except Unreadable as error:
            self.view_problem = f"the view cannot be read: {error}"

    def problems(self) -> list[str]:
        """What lies in the tree that should not."""
        found = [f"candidates/{name!r} is not a candidate: passed over" for name in self.strange]
        found += [znode.problem for znode in self.nodes.values() if znode.problem]
        found += [znode.problem for znode in self.candidates.values() if znode.problem]
        found += [self.view_problem] if self.view_problem else []
        return found


def _node(name: str, data: bytes, owner: int, version: int) -> NodeZnode:
    try:
        info = decode_node(data, name)
    except Unreadable as error:
        return NodeZnode(owner, version, data, None, f"nodes/{name!r} cannot be read: {error}")
    if owner == 0:
        return NodeZnode(owner, version, data, None, f"nodes/{name!r} belongs to no session: passed over")
    return NodeZnode(owner, version, data, info)


def _candidate(name: str, data: bytes, owner: int) -> CandidateZnode:
    if owner == 0:
        return CandidateZnode(owner, problem=f"candidates/{name} belongs to no session: passed over")
    try:
        node_id, incarnation = decode_candidate(data)
    except Unreadable as error:
        return CandidateZnode(owner, problem=f"candidates/{name} cannot be read: {error}")
    return CandidateZnode(owner, node_id, incarnation)
