"""The ImplSpecs that every database has from the start: those of sql/0001/080_builtin_impls.sql."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from shardkeeper.domain.specs import ImplSpec, Kind
from shardkeeper.domain.specset import ImplWithSources, SpecSet

_TASKS = "shardkeeper.tasks"

BUILT_IN_IMPLS: Final = (
    ImplSpec(
        "http-get", Kind.PYTHON, f"{_TASKS}.http_get:HttpGet", description="Built in: asks parameters.url."
    ),
    ImplSpec(
        "image-resize",
        Kind.PYTHON,
        f"{_TASKS}.image_resize:ImageResize",
        description="Built in: resizes the image parameters.source into parameters.target.",
    ),
    ImplSpec(
        "sleep", Kind.PYTHON, f"{_TASKS}.sleep:Sleep", description="Built in: waits for parameters.seconds."
    ),
    ImplSpec(
        "sql",
        Kind.PYTHON,
        f"{_TASKS}.sql:Sql",
        description="Built in: runs parameters.statement on parameters.connection.",
    ),
)
BUILT_IN_NAMES: Final = frozenset(impl.name for impl in BUILT_IN_IMPLS)

_AS_SHIPPED: Final = tuple(ImplWithSources(impl) for impl in BUILT_IN_IMPLS)


def without_built_in(specs: SpecSet, but: Container[str] = ()) -> SpecSet:
    """Without the built-in ImplSpecs, save those named ``but``, and those that somebody has changed: they are as much a
    person's as any other."""
    kept = (entry for entry in specs.impls if entry.impl.name in but or entry not in _AS_SHIPPED)
    return SpecSet(tuple(kept), specs.jobs)
