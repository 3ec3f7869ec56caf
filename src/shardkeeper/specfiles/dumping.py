"""Specs back into YAML, as short as a person would write them."""

from __future__ import annotations

from typing import Any

import yaml

from shardkeeper.domain.specs import ImplSpec, JobSpec, Kind, SourceData
from shardkeeper.domain.specset import SpecSet
from shardkeeper.domain.validation import row_of

_DEFAULT_JOB = row_of(JobSpec("", ""))
_DEFAULT_IMPL = row_of(ImplSpec("", Kind.PYTHON, ""))
_DEFAULT_SOURCE = row_of(SourceData(""))
_ALWAYS = ("name", "kind", "key", "impl_spec", "entrypoint")


class _Dumper(yaml.SafeDumper):
    """Writes no aliases: they would only puzzle readers."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dump_specs(specs: SpecSet) -> str:
    """One YAML document that loads as `specs` again; columns at their default are left out."""
    document: dict[str, Any] = {}
    if specs.impls:
        document["impls"] = [
            _without_defaults(row_of(entry.impl), _DEFAULT_IMPL)
            | (
                {"sources": [_without_defaults(row_of(s), _DEFAULT_SOURCE) for s in entry.sources]}
                if entry.sources
                else {}
            )
            for entry in specs.impls
        ]
    if specs.jobs:
        document["jobs"] = [_without_defaults(row_of(job), _DEFAULT_JOB) for job in specs.jobs]
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _without_defaults(row: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in row.items() if column in _ALWAYS or value != default[column]}
