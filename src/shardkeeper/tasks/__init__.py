"""Built-in tasks; they see of Shardkeeper what any user's task sees: `shardkeeper.task`."""

from __future__ import annotations
