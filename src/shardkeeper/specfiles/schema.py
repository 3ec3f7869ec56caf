"""The JSON Schema of spec files: for editors, and for what rows alone cannot tell (misplaced and unknown keys)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from shardkeeper.domain.problems import Problem, problem
from shardkeeper.specfiles.yaml_reading import Path

SCHEMA_FILE = "jobspec.schema.json"


@cache
def spec_schema() -> dict[str, Any]:
    """The schema as shipped in the package."""
    schema: dict[str, Any] = json.loads(
        files("shardkeeper.specfiles").joinpath(SCHEMA_FILE).read_text("utf-8")
    )
    return schema


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(spec_schema())


def schema_problems(document: Any) -> Iterator[tuple[Path, str, Problem]]:
    """What the schema has against a document: the path of the entry, its field, and the problem."""
    for error in _validator().iter_errors(document):
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties" and isinstance(error.instance, dict):
            yield from _unknown_keys(error, path)
        else:
            entry, field = _entry_and_field(path)
            reason = f"does not fit the schema: {error.message}"[:200]
            yield entry, field, problem(field or "file", error.instance, reason, "see jobspec.schema.json")


def _unknown_keys(error: ValidationError, path: Path) -> Iterator[tuple[Path, str, Problem]]:
    known = error.schema["properties"] if isinstance(error.schema, dict) else {}
    instance: Any = error.instance
    for key in instance:
        if key not in known:
            entry, field = _entry_and_field((*path, key))
            shown_field = field if field == key else f"{field}.{key}"
            yield (
                entry,
                field,
                problem(shown_field, "", "is not known here", f"write one of {', '.join(known)}"),
            )


def _entry_and_field(path: Path) -> tuple[Path, str]:
    """Where in the document an entry begins, and its field: impls[0] weight, impls[0].sources[1] key."""
    depth = 4 if len(path) > 3 and path[0] == "impls" and path[2] == "sources" else 2
    depth = min(depth, len(path)) if len(path) > 1 else 0
    return path[:depth], str(path[depth]) if len(path) > depth else ""
