"""Values by the thousand: what the type checker holds unchangeable costs nothing to make.

``@value(frozen=True, slots=True)`` is a frozen dataclass to the type checker, which refuses whatever would change one.
At run time it is a plain one with slots: a frozen one is filled by ``object.__setattr__``, field by field, which costs
seven times as much (measured: 1.8 against 0.25 us for twelve fields), and some twenty such values are made for each
attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(*, frozen: bool, slots: bool):
        """As ``dataclass``; ``frozen`` is the type checker's to hold. Equal by fields, and hashable."""

        def made(cls: type) -> type:
            own_hash = "__hash__" in vars(cls)
            return dataclass(slots=slots, unsafe_hash=frozen and not own_hash)(cls)

        return made


__all__ = ["value"]
