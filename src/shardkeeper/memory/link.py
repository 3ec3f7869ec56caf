"""The wire between one node and the store in memory, for whoever wants to cut it."""

from __future__ import annotations

from shardkeeper.domain.errors import StoreUnavailable


class Link:
    """Whole by default. ``up`` False: calls fail and do nothing. ``lose_answers``: so many of the next
    calls are done, and then fail (the commit is unknown to the caller). A simulation may subclass it and
    decide call by call.
    """

    def __init__(self) -> None:
        self.up = True
        self.lose_answers = 0

    def before(self, call: str) -> None:
        """Called before the method ``call`` does anything; raises StoreUnavailable where the link is cut."""
        if not self.up:
            raise StoreUnavailable

    def wait(self, seconds: float) -> None:
        """Called where a call waits at the store; here no time passes."""

    def after(self, call: str) -> None:
        """Called when all is done; raises StoreUnavailable where the answer gets lost."""
        if self.lose_answers > 0:
            self.lose_answers -= 1
            raise StoreUnavailable
