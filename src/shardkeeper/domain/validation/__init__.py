"""Is a spec right, and if not, what is wrong with it: all problems at once, each with its mend."""

from __future__ import annotations

from shardkeeper.domain.problems import Problem
from shardkeeper.domain.validation.impls import impl_problems, module_allowed, source_problems
from shardkeeper.domain.validation.jobs import job_problems
from shardkeeper.domain.validation.limits import Limits
from shardkeeper.domain.validation.rows import (
    Reading,
    parse_impl_row,
    parse_job_row,
    parse_source_row,
    read_impl_row,
    read_job_row,
    read_source_row,
    row_of,
)

__all__ = [
    "Limits",
    "Problem",
    "Reading",
    "impl_problems",
    "job_problems",
    "module_allowed",
    "parse_impl_row",
    "parse_job_row",
    "parse_source_row",
    "read_impl_row",
    "read_job_row",
    "read_source_row",
    "row_of",
    "source_problems",
]
