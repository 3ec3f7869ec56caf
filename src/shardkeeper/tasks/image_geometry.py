"""How large a resized image is, and which part of the source it shows. Pure."""

from __future__ import annotations

from dataclasses import dataclass

Size = tuple[int, int]
MODES = ("fit", "cover", "pad", "stretch")


@dataclass(frozen=True, slots=True)
class Geometry:
    """``box``: the part of the source (left, upper, right, lower; in its pixels) that is scaled to ``scaled``; it is
    centred on a canvas of ``canvas``."""

    box: tuple[float, float, float, float]
    scaled: Size
    canvas: Size


def geometry(source: Size, width: int | None, height: int | None, mode: str, enlarge: bool) -> Geometry:
    """One bound alone leaves the other side to the proportions, in every mode.

    ``fit``: inside the bounds; ``cover``: fills them, what juts out is cut off on both sides; ``pad``: ``fit`` on a
    canvas of the bounds; ``stretch``: the bounds, proportions or not. Without ``enlarge`` no side is scaled up."""
    whole = (0.0, 0.0, float(source[0]), float(source[1]))
    if width is None or height is None:
        scale = (width or 0) / source[0] or (height or 0) / source[1]
        size = _scaled(source, scale if enlarge else min(scale, 1.0))
        return Geometry(whole, size, size)
    bounds = (width, height)
    if mode == "stretch":
        size = bounds if enlarge else (min(width, source[0]), min(height, source[1]))
        return Geometry(whole, size, size)
    if mode == "cover":
        return _cover(source, bounds, enlarge)
    scale = min(width / source[0], height / source[1])
    size = _scaled(source, scale if enlarge else min(scale, 1.0))
    return Geometry(whole, size, bounds if mode == "pad" else size)


def _cover(source: Size, bounds: Size, enlarge: bool) -> Geometry:
    scale = max(bounds[0] / source[0], bounds[1] / source[1])
    shown = (bounds[0] / scale, bounds[1] / scale)
    left, upper = (source[0] - shown[0]) / 2, (source[1] - shown[1]) / 2
    size = bounds if enlarge or scale <= 1 else _scaled((round(shown[0]), round(shown[1])), 1.0)
    return Geometry((left, upper, left + shown[0], upper + shown[1]), size, size)


def _scaled(source: Size, scale: float) -> Size:
    return max(1, round(source[0] * scale)), max(1, round(source[1] * scale))
