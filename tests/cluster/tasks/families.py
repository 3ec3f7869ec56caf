"""A module that not every node allows."""

from __future__ import annotations

from shardkeeper import DistributeTask, ShardContext


class Member(DistributeTask):
    """Does nothing, where it may."""

    def calculate(self, context: ShardContext, data: None) -> None:
        return None
