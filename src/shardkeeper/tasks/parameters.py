"""Reading a task's parameters: each has a type, bounds and a default, and what is wrong is said by name.

The value itself is not repeated in an error: it may hold a credential.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


class WrongParameters(ValueError):
    """A parameter is missing or is not what it should be; trying again will not help."""


class Parameters:
    """The merged parameters of an attempt. Each method raises WrongParameters. Unknown names are left alone: they may
    be there for others (a concurrency key, what a follow-up is given)."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def __contains__(self, name: str) -> bool:
        return self._given.get(name) is not None

    def number(self, name: str, least: float, most: float, default: float | None = None) -> float:
        """A finite number from ``least`` to ``most``; required when there is no default."""
        value = self._value(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise WrongParameters(f"{name} is not a number")
        if not least <= value <= most:
            raise WrongParameters(f"{name} is not from {least:g} to {most:g}")
        return value

    def integer(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number from ``least`` to ``most``; required when there is no default."""
        value = self.number(name, least, most, default)
        if value != int(value):
            raise WrongParameters(f"{name} is not a whole number")
        return int(value)

    def text(self, name: str, longest: int, default: str | None = None) -> str:
        """A text of 1 to ``longest`` characters, without NUL; required when there is no default."""
        value = self._value(name, default)
        if not isinstance(value, str) or not value or "\0" in value:
            raise WrongParameters(f"{name} is not a text")
        if len(value) > longest:
            raise WrongParameters(f"{name} is longer than {longest} characters")
        return value

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        """One of ``choices``; required when there is no default."""
        value = self._value(name, default)
        if value not in choices:
            raise WrongParameters(f"{name} is not one of {', '.join(choices)}")
        return str(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._value(name, default)
        if not isinstance(value, bool):
            raise WrongParameters(f"{name} is not true or false")
        return value

    def any(self, name: str, default: Any) -> Any:
        """As it is given: the caller judges."""
        return self._value(name, default)

    def _value(self, name: str, default: Any) -> Any:
        value = self._given.get(name)
        if value is not None:
            return value
        if default is None:
            raise WrongParameters(f"{name} is missing")
        return default
