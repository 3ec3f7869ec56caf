"""Publishing a view: one transaction that a leader of yesterday cannot win."""

from __future__ import annotations

from kazoo.exceptions import (
    BadVersionError,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    RolledBackError,
    RuntimeInconsistency,
)

from shardkeeper.domain.view import View
from shardkeeper.ports.coordinator import Published, Refusal
from shardkeeper.zookeeper.codec import VIEW_LIMIT, encode_view
from shardkeeper.zookeeper.link import Denied, Link, LinkDown
from shardkeeper.zookeeper.reading import Paths


def refused(view: View, reason: Refusal, detail: str) -> Published:
    """The answer to a request that was not granted."""
    return Published(ok=False, view=view, reason=reason, detail=detail)


def publish(link: Link, paths: Paths, candidate: str, view: View, expected_version: int | None) -> Published:
    """Set `/view` at `expected_version` (None: create it), if the candidate znode `candidate` of this
    session still exists.

    The candidate is sequential, so its name is never given again while `/candidates` lives; a fixed name
    that was deleted and made again by somebody else would pass the check, which compares data versions
    alone.
    """
    data = encode_view(view)
    if len(data) > VIEW_LIMIT:
        return refused(view, Refusal.TOO_LARGE, f"the view takes {len(data)} bytes; {VIEW_LIMIT} are allowed")
    try:
        (answers,) = link.wait([link.publish(paths.candidate(candidate), paths.view, data, expected_version)])
    except LinkDown as error:
        return refused(view, Refusal.UNKNOWN, str(error))
    except Denied as error:
        return refused(view, Refusal.DENIED, str(error))
    return _judge(view, answers)


def _judge(view: View, answers: object) -> Published:
    """commit() returns the errors of a failed transaction as results and raises none: look at every one."""
    if not isinstance(answers, list) or len(answers) != 2:
        return refused(view, Refusal.UNKNOWN, f"ZooKeeper answered {answers!r}")
    failed = [answer for answer in answers if isinstance(answer, Exception)]
    if not failed:
        return Published(ok=True, view=view)
    of_candidate, of_view = answers
    if any(isinstance(error, NoAuthError) for error in failed):
        return refused(view, Refusal.DENIED, "ZooKeeper refuses our credentials")
    if isinstance(of_candidate, NoNodeError):
        return refused(view, Refusal.NOT_CANDIDATE, "this session's candidate is gone")
    if isinstance(of_view, BadVersionError | NodeExistsError | NoNodeError):
        return refused(view, Refusal.SUPERSEDED, "the view is no longer the one that was read")
    named = [error for error in failed if not isinstance(error, RolledBackError | RuntimeInconsistency)]
    return refused(view, Refusal.UNKNOWN, ", ".join(type(error).__name__ for error in named or failed))
