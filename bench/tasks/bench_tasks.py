"""Tasks that do nothing: what is measured is everything around them."""

from __future__ import annotations

from typing import Any

from shardkeeper import DistributeTask, ShardContext


class Noop(DistributeTask):
    """Returns nothing."""

    def calculate(self, context: ShardContext, data: Any) -> None:
        return None
