"""Which znodes a node should have, and the steps from what is there to what should be.

`steps` decides and touches nothing; `take` does. What a step did is never believed: the places are read
again and decided on anew, because a create may have happened although it raised, and may happen a second
after it timed out.

What is ours: held by this very session (`ephemeralOwner`), and speaking of this incarnation. A znode of the
same name that an earlier life left behind is never adopted: it would vanish, with us in it, when the old
session ends. If it speaks of our own incarnation (an earlier session of this same life) or belongs to no
session, it is removed; otherwise it is waited out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shardkeeper.ports.coordinator import Candidate, NodeInfo
from shardkeeper.zookeeper.codec import NODE_LIMIT, encode_candidate, encode_node
from shardkeeper.zookeeper.link import Link
from shardkeeper.zookeeper.reading import CandidateZnode, NodeZnode, Paths, Reading

_ANY_VERSION = -1


@dataclass(frozen=True, slots=True)
class Register:
    """Create our own `/nodes` znode."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Write our own `/nodes` znode at the version read; `load_only` changes may wait."""

    version: int
    load_only: bool


@dataclass(frozen=True, slots=True)
class Unregister:
    """Delete the `/nodes` znode of our name at the version read."""

    version: int


@dataclass(frozen=True, slots=True)
class Stand:
    """Create our own candidate."""


@dataclass(frozen=True, slots=True)
class StandDown:
    """Delete a candidate of ours."""

    name: str


Step = Register | Rewrite | Unregister | Stand | StandDown


@dataclass(frozen=True, slots=True)
class Wanted:
    """What this node wants to be seen as; None when it has left."""

    node_id: str
    info: NodeInfo | None


def steps(
    wanted: Wanted, session: int, node: NodeZnode | None, candidates: Mapping[str, CandidateZnode]
) -> list[Step]:
    """What is to be done now; nothing when all is as it should be, or when there is only waiting to do."""
    found: list[Step] = [StandDown(name) for name in _superfluous(wanted, session, candidates)]
    if wanted.info is None:
        return [*found, *([Unregister(node.version)] if node and node.owner == session else [])]
    if node is None:
        return [*found, Register()]
    if node.owner != session:
        return [*found, *([Unregister(node.version)] if _left_behind(wanted.info, node) else [])]
    if node.data != encode_node(wanted.info):
        found.append(Rewrite(node.version, _differs_in_load_alone(wanted.info, node.info)))
    if not any(_is_mine(wanted.info, session, znode) for znode in candidates.values()):
        found.append(Stand())
    return found


def held_by_another(wanted: Wanted, session: int, node: NodeZnode | None) -> bool:
    """Whether our name belongs to a session that is not ours, which only time can end."""
    return (
        wanted.info is not None
        and node is not None
        and node.owner != session
        and not _left_behind(wanted.info, node)
    )


def row_of_candidates(reading: Reading, wanted: Wanted, session: int | None) -> tuple[Candidate, ...]:
    """The candidates that some session holds, in order."""
    held = sorted((name, znode) for name, znode in reading.candidates.items() if znode.owner != 0)
    return tuple(
        Candidate(
            seq=int(name),
            node_id=znode.node_id,
            incarnation=znode.incarnation,
            mine=wanted.info is not None and session is not None and _is_mine(wanted.info, session, znode),
        )
        for name, znode in held
    )


def own_candidate(reading: Reading, wanted: Wanted, session: int) -> str | None:
    """The name of the candidate that is ours."""
    if wanted.info is None:
        return None
    names = (name for name, znode in reading.candidates.items() if _is_mine(wanted.info, session, znode))
    return min(names, default=None)


def take(link: Link, paths: Paths, wanted: Wanted, todo: list[Step]) -> None:
    """Do the steps in one batch; what a znode answers is seen when it is read again. Raises `LinkDown`,
    `Denied`."""
    link.wait([_send(link, paths, wanted, step) for step in todo])


def too_large(info: NodeInfo) -> str | None:
    """Why this node cannot be registered, if its own words (labels, addresses) are too long."""
    size = len(encode_node(info))
    return (
        None
        if size <= NODE_LIMIT
        else f"what this node says of itself takes {size} bytes; {NODE_LIMIT} are allowed"
    )


def _send(link: Link, paths: Paths, wanted: Wanted, step: Step) -> object:
    place = paths.node(wanted.node_id)
    match step:
        case Unregister(version):
            return link.delete(place, version)
        case StandDown(name):
            return link.delete(paths.candidate(name), _ANY_VERSION)
    assert wanted.info is not None, "whoever has left takes no other step"
    match step:
        case Register():
            return link.create(place, encode_node(wanted.info), ephemeral=True)
        case Rewrite(version):
            return link.write(place, encode_node(wanted.info), version)
        case Stand():
            data = encode_candidate(wanted.node_id, wanted.info.incarnation)
            return link.create(paths.candidates + "/", data, ephemeral=True, sequence=True)


def _superfluous(wanted: Wanted, session: int, candidates: Mapping[str, CandidateZnode]) -> list[str]:
    """Candidates of this session for another incarnation or a second time, and those that an earlier
    session of ours left."""
    mine = sorted(name for name, z in candidates.items() if wanted.info and _is_mine(wanted.info, session, z))
    others = [name for name, z in candidates.items() if z.owner == session and name not in mine]
    earlier = [
        name
        for name, z in candidates.items()
        if wanted.info and z.owner not in (0, session) and _same_life(wanted.info, z.node_id, z.incarnation)
    ]
    return mine[1:] + others + earlier


def _is_mine(info: NodeInfo, session: int, znode: CandidateZnode) -> bool:
    return znode.owner == session and _same_life(info, znode.node_id, znode.incarnation)


def _same_life(info: NodeInfo, node_id: str, incarnation: str) -> bool:
    return (info.node_id, info.incarnation) == (node_id, incarnation)


def _left_behind(info: NodeInfo, node: NodeZnode) -> bool:
    return node.owner == 0 or (node.info is not None and node.info.incarnation == info.incarnation)


def _differs_in_load_alone(wanted: NodeInfo, written: NodeInfo | None) -> bool:
    return written is not None and replace(written, load=wanted.load) == wanted
