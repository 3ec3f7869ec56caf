"""What the parts of a planner share: the node's standing, and its knowledge."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum

from shardkeeper.domain.catalog import Catalog
from shardkeeper.domain.planner.holdings import Holdings
from shardkeeper.domain.planner.membership import Membership
from shardkeeper.domain.planner.settings import PlannerSettings
from shardkeeper.domain.planner.timetable import Timetable


class Standing(StrEnum):
    """Where the node is in its life."""

    JOINING = "joining"
    """No lease yet: nothing is created or claimed."""
    ACTIVE = "active"
    HANDING_OVER = "handing_over"
    """Says draining, and goes on until the others have read it."""
    DRAINED = "drained"
    """Creates and claims nothing; ends what it holds, and keeps beating."""
    GONE = "gone"


_WORKING = (Standing.ACTIVE, Standing.HANDING_OVER)


class Mind:
    """``incarnation`` changes when the node finds itself dead; everything asked of the store carries it."""

    def __init__(
        self, settings: PlannerSettings, new_incarnation: Callable[[], str], draw: Callable[[], float]
    ) -> None:
        self.settings = settings
        self.new_incarnation = new_incarnation
        self.draw = draw
        """A random number in [0, 1), for jitter."""
        self.incarnation = new_incarnation()
        self.standing = Standing.JOINING
        self.store_here = False
        self.skewed = False
        self.catalog = Catalog()
        self.timetable = Timetable(timedelta(seconds=settings.lead_s))
        self.membership = Membership(settings.node_id)
        self.holdings = Holdings(settings.ahead_s, settings.most_ahead, settings.most_waiting)
        self.gives_back = False
        """The grace period is over: what is claimed now goes back unbegun."""
        self.unreadable: dict[int, float] = {}
        """Versions that cannot be read here, and until when (monotonic) they are not asked for again."""
        self.declined: dict[tuple[int, int], str] = {}
        """What cannot run here, and why: version of the job, version of its ImplSpec. By versions, since an old
        attempt that is found wanting says nothing of what was mended meanwhile."""

    @property
    def creates(self) -> bool:
        """Whether this node may create runs and claim attempts now."""
        return self.store_here and not self.skewed and self.standing in _WORKING
