"""Built-in tasks; they see of Shardkeeper what any user's task sees: `shardkeeper.task`.

Each is an ImplSpec of every database (sql/0001/080_builtin_impls.sql). What a node allows them (networks, folders,
connections) is its setting, never a parameter: the parameters of a run win over the job's, so whoever submits would
allow himself.
"""

from __future__ import annotations
