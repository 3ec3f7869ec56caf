"""The three kinds of ImplSpec, each as a way from an attempt to a task object."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from shardkeeper.task import DistributeTask
from shardkeeper.workers.attempt import Attempt
from shardkeeper.workers.imports import Declined

Make = Callable[[], DistributeTask]

# loaded when first needed: http.client and ssl alone would double a worker's start
_MODULES = {"script": "shardkeeper.workers.script", "http": "shardkeeper.workers.web"}


def find_task(attempt: Attempt) -> tuple[Make, str | None]:
    """What makes the task object, and the code version. Raises Declined."""
    kind, entrypoint = attempt.order["kind"], attempt.order["entrypoint"]
    if kind == "python":
        loaded = attempt.around.imports.task(entrypoint, attempt.importing)
        return loaded.task, loaded.code_version
    if kind not in _MODULES:
        raise Declined(f"this version does not know the kind {kind!r:.100}")
    module: Any = importlib.import_module(_MODULES[kind])
    prepared: tuple[Make, str | None] = module.prepare(attempt)
    return prepared
