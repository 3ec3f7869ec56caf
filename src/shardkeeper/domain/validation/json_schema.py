"""Whether a JSON Schema is of the subset that PostgreSQL judges parameters by (sql/0001/058_json_schema.sql).

What is not of the subset is refused where it is written, so that no parameters pass because nobody looked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

TYPES: Final = ("null", "boolean", "integer", "number", "string", "array", "object")
MOST_DEPTH: Final = 32
LONGEST_PATTERN: Final = 1000

_ANYTHING: Final = frozenset({"const", "default", "examples"})
_TEXTS: Final = frozenset({"title", "description", "$comment", "$schema"})
_COUNTS: Final = frozenset(
    {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
)
_NUMBERS: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_SCHEMAS: Final = frozenset({"additionalProperties", "propertyNames", "items", "not", "if", "then", "else"})
_SCHEMAS_BY_NAME: Final = frozenset({"properties", "patternProperties", "$defs"})
_LISTS_OF_SCHEMAS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_PATTERN: Final = re.compile(
    r"""([\^$|]|\((\?:)?
    |(\)|\.|\\[dwsDWS]|\\[^A-Za-z0-9]|\[\^?(\\[dws](?!-)|\\[^A-Za-z0-9]|[^]\[\\])+\]|[^]\^$.|?*+()\[\\{}])
     (([*+?]|\{[0-9]{1,3}(,([0-9]{1,3})?)?\})\??)?)*""",
    re.VERBOSE | re.DOTALL,
)
_REPEATS: Final = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")
MOST_REPEATS: Final = 255
_REF: Final = re.compile(r"#/\$defs/([^/~%]+)")


def schema_problem(schema: Any) -> str | None:
    """The first thing that is wrong with a schema, with its place; None: everything in it is judged."""
    return next(_flaws(schema, schema, "#", 1), None)


def _flaws(root: Any, schema: Any, place: str, depth: int) -> Iterator[str]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        yield f"{place} is not a schema: write an object, true or false"
    elif depth > MOST_DEPTH:
        yield f"{place} lies more than {MOST_DEPTH} deep"
    else:
        for keyword, value in schema.items():
            yield from _keyword_flaws(root, keyword, value, place, depth)


def _keyword_flaws(root: Any, keyword: str, value: Any, place: str, depth: int) -> Iterator[str]:
    here = f"{place}/{keyword}"
    if keyword in _SCHEMAS:
        yield from _flaws(root, value, here, depth + 1)
    elif keyword in _SCHEMAS_BY_NAME:
        yield from _named_flaws(root, keyword, value, here, depth)
    elif keyword in _LISTS_OF_SCHEMAS:
        if not isinstance(value, list | tuple) or not value:
            yield f"{here} is not a list of schemas"
        else:
            for each in value:
                yield from _flaws(root, each, here, depth + 1)
    else:
        problem = _plain_problem(root, keyword, value)
        if problem is not None:
            yield f"{here} {problem}"


def _named_flaws(root: Any, keyword: str, value: Any, here: str, depth: int) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{here} is not an object of schemas"
    elif keyword == "$defs" and depth > 1:
        yield f"{here} is not at the top"
    else:
        for name, each in value.items():
            problem = _pattern_problem(name) if keyword == "patternProperties" else None
            if problem is not None:
                yield f"{here} {problem}"
            yield from _flaws(root, each, f"{here}/{name}", depth + 1)


def _plain_problem(root: Any, keyword: str, value: Any) -> str | None:
    """Of a keyword that holds no schemas."""
    if keyword in _ANYTHING:
        return None
    if keyword in _TEXTS:
        return None if isinstance(value, str) else "is not a text"
    if keyword in _COUNTS or keyword in _NUMBERS:
        return _number_problem(keyword, value)
    if keyword == "uniqueItems":
        return None if isinstance(value, bool) else "is not true or false"
    if keyword == "type":
        return _type_problem(value)
    if keyword == "enum":
        return None if isinstance(value, list | tuple) and value else "is not a list of values"
    if keyword == "required":
        is_names = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
        return None if is_names else "is not a list of names"
    if keyword == "pattern":
        return _pattern_problem(value) if isinstance(value, str) else "is not a text"
    if keyword == "$ref":
        return _ref_problem(root, value)
    return "is a keyword that is not of the subset"


def _type_problem(value: Any) -> str | None:
    named = value if isinstance(value, list | tuple) else [value]
    if named and all(isinstance(each, str) and each in TYPES for each in named):
        return None
    return f"is not one or more of {', '.join(TYPES)}"


def _number_problem(keyword: str, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "is not a number"
    if keyword == "multipleOf":
        return None if value > 0 else "is not more than 0"
    if keyword in _COUNTS and not (0 <= value <= 999_999_999 and value == int(value)):
        return "is not a whole number of at most 9 digits"
    return None


def _pattern_problem(pattern: str) -> str | None:
    if len(pattern) > LONGEST_PATTERN or not _PATTERN.fullmatch(pattern):
        return "holds a pattern that is not of the subset"
    if any(int(most) > MOST_REPEATS for most in _repeats(pattern)):
        return "holds a pattern that is no regular expression"
    try:
        re.compile(pattern)
    except (re.error, OverflowError):
        return "holds a pattern that is no regular expression"
    return None


def _repeats(pattern: str) -> Iterator[str]:
    for found in _REPEATS.finditer(pattern):
        yield from (each for each in found.groups() if each)


def _ref_problem(root: Any, value: Any) -> str | None:
    if value == "#":
        return None
    found = _REF.fullmatch(value) if isinstance(value, str) else None
    defined = root.get("$defs") if isinstance(root, Mapping) else None
    if found and isinstance(defined, Mapping) and found[1] in defined:
        return None
    return 'names nothing: write "#" or "#/$defs/NAME"'
