"""A mapping that nobody can change, yet `json` and `pickle` take as it is; all empty ones are one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

V = TypeVar("V")


class FrozenMap(dict[str, V]):
    """An unchangeable dict with string keys. (MappingProxyType can neither be pickled nor dumped as JSON.)

    Equal to any dict of the same items; values are kept as they are.
    """

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        """By keys alone: equal mappings have equal hashes, and values need not be hashable."""
        return hash(frozenset(self))

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a spec's mapping cannot be changed")

    __setitem__ = __delitem__ = _refuse
    clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __reduce__(self) -> tuple[type[FrozenMap[V]], tuple[dict[str, V]]]:
        return (type(self), (dict(self),))


EMPTY: FrozenMap[Any] = FrozenMap()


def frozen(items: Mapping[str, V]) -> FrozenMap[V]:
    """An unchangeable copy of `items`; the shared EMPTY when there are none, to stay small."""
    if not items:
        return EMPTY
    return items if isinstance(items, FrozenMap) else FrozenMap(items)
