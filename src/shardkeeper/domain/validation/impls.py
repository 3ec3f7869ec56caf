"""What is wrong with an ImplSpec and its sources, and which code an ImplSpec may name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shardkeeper.domain.problems import Problem, problem
from shardkeeper.domain.specs import ImplSpec, Kind, SourceData
from shardkeeper.domain.validation.limits import (
    MAX_DESCRIPTION,
    MAX_ENTRYPOINT,
    MAX_SHORT_TEXT,
    MAX_WEIGHT,
    Limits,
)
from shardkeeper.domain.validation.shapes import (
    Wrong,
    wrong_json,
    wrong_name,
    wrong_number,
    wrong_text,
    wrong_url,
)

BUILT_IN_MODULES = "shardkeeper.tasks"
HTTP_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MAX_FILE_NAME = 255

_IDENTIFIER = r"(?!__)[A-Za-z_][A-Za-z0-9_]*"
_PYTHON = re.compile(rf"(?P<module>{_IDENTIFIER}(\.{_IDENTIFIER})*):{_IDENTIFIER}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")


def module_allowed(entrypoint: str, prefixes: Iterable[str]) -> bool:
    """Whether a python entrypoint lies in one of the allowed modules, or is built in.

    A prefix matches whole parts between dots: `acme.jobs` allows `acme.jobs` and `acme.jobs.price`, not
    `acme.jobs_old`. No prefixes: nothing but the built-in tasks. What is not an entrypoint is never allowed.
    """
    match = _PYTHON.fullmatch(entrypoint)
    if match is None:
        return False
    return any(
        f"{match['module']}.".startswith(f"{prefix}.") for prefix in (BUILT_IN_MODULES, *prefixes) if prefix
    )


def impl_problems(
    impl: ImplSpec,
    sources: Iterable[SourceData] = (),
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> list[Problem]:
    """Everything that is wrong with an ImplSpec and its sources; an empty list for valid ones."""
    fields: list[tuple[str, object, Wrong]] = [
        ("name", impl.name, wrong_name(impl.name)),
        ("entrypoint", impl.entrypoint, _wrong_entrypoint(impl)),
        ("parameters", impl.parameters, wrong_json(impl.parameters, limits.max_parameters_bytes)),
        ("description", impl.description, wrong_text(impl.description, MAX_DESCRIPTION, lines=True)),
    ]
    problems = [problem(field, value, *wrong) for field, value, wrong in fields if wrong is not None]
    problems += _parameter_problems(impl.kind, impl.parameters)
    seen: set[str] = set()
    for source in sources:
        problems += source_problems(source, limits)
        if source.key in seen:
            problems.append(problem("key", source.key, "is there twice", "give each source a key of its own"))
        seen.add(source.key)
    return problems


def source_problems(
    source: SourceData,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> list[Problem]:
    """Everything that is wrong with one source."""
    weight = (
        wrong_number(source.weight, 0, MAX_WEIGHT)
        if source.weight
        else ("is zero", "write a positive number")
    )
    no_key = None if source.key else ("is empty", "give the source a key")
    fields: list[tuple[str, object, Wrong]] = [
        ("key", source.key, no_key or wrong_text(source.key, MAX_SHORT_TEXT)),
        ("weight", source.weight, weight),
        ("location", source.location, wrong_text(source.location, MAX_DESCRIPTION)),
        ("parameters", source.parameters, wrong_json(source.parameters, limits.max_parameters_bytes)),
    ]
    return [problem(field, value, *wrong) for field, value, wrong in fields if wrong is not None]


def _wrong_entrypoint(impl: ImplSpec) -> Wrong:
    if len(impl.entrypoint) > MAX_ENTRYPOINT:
        return (f"is longer than {MAX_ENTRYPOINT} characters", "shorten it")
    if impl.kind is Kind.HTTP:
        return wrong_url(impl.entrypoint, MAX_ENTRYPOINT)
    if impl.kind is Kind.PYTHON:
        if _PYTHON.fullmatch(impl.entrypoint):
            return None
        return ("is not package.module:Class", "write for example acme.prices:PriceIndex, without __names__")
    if _FILE_NAME.fullmatch(impl.entrypoint) and ".." not in impl.entrypoint:
        return (
            None if len(impl.entrypoint) <= MAX_FILE_NAME else ("is too long for a file name", "shorten it")
        )
    return ("is not a plain file name", "write the name of a file in an allowed folder, such as backup.sh")


def _parameter_problems(kind: Kind, parameters: Mapping[str, Any]) -> Iterator[Problem]:
    """Parameters that the kind itself reads."""
    if kind is Kind.SCRIPT and "args" in parameters:
        args = parameters["args"]
        if not isinstance(args, list) or not all(isinstance(arg, str) for arg in args):
            yield problem("parameters.args", args, "is not a list of text", 'write for example ["--all"]')
    if kind is Kind.HTTP and parameters.get("method", "POST") not in HTTP_METHODS:
        mend = f"write one of {', '.join(HTTP_METHODS)}"
        yield problem("parameters.method", parameters["method"], "is not a method that is supported", mend)
    if kind is Kind.HTTP and "headers" in parameters and not _are_headers(parameters["headers"]):
        mend = "write names and one-line texts"
        yield problem("parameters.headers", parameters["headers"], "is not an object of headers", mend)


def _are_headers(headers: Any) -> bool:
    return isinstance(headers, Mapping) and all(
        isinstance(name, str)
        and _HEADER.fullmatch(name)
        and isinstance(text, str)
        and not wrong_text(text, MAX_ENTRYPOINT)
        for name, text in headers.items()
    )
