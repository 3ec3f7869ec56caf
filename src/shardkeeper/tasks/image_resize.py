"""``image-resize``: reads an image of an allowed folder, and writes it in another size, form or format."""

from __future__ import annotations

import math
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from PIL import ExifTags, Image, UnidentifiedImageError

from shardkeeper.task import DistributeTask, ShardContext
from shardkeeper.tasks.folders import Place, place, reading, write_whole
from shardkeeper.tasks.image_geometry import MODES, Geometry, Size, geometry
from shardkeeper.tasks.node_settings import node_settings
from shardkeeper.tasks.parameters import Parameters, WrongParameters

FORMATS = ("PNG", "JPEG", "WEBP")
READABLE = (*FORMATS, "GIF", "BMP")
"""No other decoder is tried, whatever Pillow has: some start other programs."""
SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
LONGEST_SIDE = 16_383
"""Pixels: the most that WEBP has."""
MOST_PIXELS = 80_000_000
"""Of the source and of the result, whatever ``max_pixels`` says: about 320 MB while it is worked on."""

# a JPEG with more images behind the first (depth, previews), as phones make them
_PHONE_JPEG = "MPO"
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What mends each EXIF orientation. (ImageOps.exif_transpose also rewrites the EXIF data, and fails where they are
damaged; they are not kept here.)"""
_SWAPS_SIDES = frozenset(_TURNS[orientation] for orientation in (5, 6, 7, 8))
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error)
"""What Pillow's decoders raise when they are given rubbish."""
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


class ImageRefused(Exception):
    """The source is no image that can be resized here: damaged, animated, too large, of another format."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the parameters come to."""

    source: Place
    target: Place
    width: int | None
    height: int | None
    mode: str
    enlarge: bool
    format: str | None
    quality: int
    background: str
    max_pixels: int


class ImageResize(DistributeTask):
    """The parameters are those of docs/reference/tasks.md."""

    def initialize(self, context: ShardContext) -> Wish:
        given = Parameters(context.parameters)
        folders = node_settings().file_dirs
        width = given.integer("width", 1, LONGEST_SIDE) if "width" in given else None
        height = given.integer("height", 1, LONGEST_SIDE) if "height" in given else None
        if width is None and height is None:
            raise WrongParameters("width or height is missing")
        target = given.text("target", 1_000)
        background = given.text("background", 7, "#ffffff")
        if _COLOUR.fullmatch(background) is None:
            raise WrongParameters("background is not a colour such as #ffffff")
        return Wish(
            place(given.text("source", 1_000), folders),
            place(target, folders),
            width,
            height,
            given.choice("mode", MODES, "fit"),
            given.flag("enlarge", False),
            given.choice("format", FORMATS) if "format" in given else SUFFIXES.get(_suffix(target)),
            given.integer("quality", 1, 100, 85),
            background,
            given.integer("max_pixels", 1, MOST_PIXELS, 40_000_000),
        )

    def calculate(self, context: ShardContext, data: Wish) -> dict[str, Any]:
        with reading(data.source) as file, _opened(file, data.max_pixels) as image:
            source = {
                "format": _format(image),
                "width": image.width,
                "height": image.height,
                "bytes": os.fstat(file.fileno()).st_size,
            }
            form = data.format or (source["format"] if source["format"] in FORMATS else "PNG")
            resized = _resized(image, data, form)
        context.progress(0.7, "resized")
        size = write_whole(data.target, lambda out: _save(resized, out, form, data.quality))
        context.log.info("%s %dx%d, %d bytes", form, resized.width, resized.height, size)
        return {
            "target": str(PurePosixPath(data.target.folder, *data.target.parts)),
            "format": form,
            "width": resized.width,
            "height": resized.height,
            "bytes": size,
            "source": source,
        }


def _format(image: Image.Image) -> str:
    return "JPEG" if image.format == _PHONE_JPEG else str(image.format)


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


@contextmanager
def _opened(file: BinaryIO, max_pixels: int) -> Iterator[Image.Image]:
    """The image, its header read and judged, nothing decoded yet. What Pillow raises meanwhile says what is wrong."""
    try:
        with Image.open(file, formats=READABLE) as image:
            if image.width * image.height > max_pixels:
                raise ImageRefused(f"{image.width} x {image.height} pixels are more than {max_pixels}")
            if getattr(image, "is_animated", False) and image.format != _PHONE_JPEG:
                raise ImageRefused("it is animated: there is no one image to resize")
            yield image
    except UnidentifiedImageError:
        raise ImageRefused(f"it is damaged, or none of {', '.join(READABLE)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageRefused(f"it has more pixels than {max_pixels}") from None
    except _DAMAGED as error:
        raise ImageRefused(f"it is damaged: {error}") from error


def _resized(image: Image.Image, wish: Wish, form: str) -> Image.Image:
    turn = _TURNS.get(_orientation(image))
    turned = turn in _SWAPS_SIDES
    whole = image.size[::-1] if turned else image.size
    plan = geometry(whole, wish.width, wish.height, wish.mode, wish.enlarge)
    if max(plan.canvas) > LONGEST_SIDE or plan.canvas[0] * plan.canvas[1] > wish.max_pixels:
        raise ImageRefused(f"the result would have {plan.canvas[0]} x {plan.canvas[1]} pixels")
    _draft(image, whole, plan, turned)
    upright = image if turn is None else image.transpose(turn)
    profile = None if image.mode == "CMYK" else image.info.get("icc_profile")
    scaled = _plain(upright).resize(
        plan.scaled, Image.Resampling.LANCZOS, box=_box(plan, whole, upright.size)
    )
    result = _on_canvas(scaled, plan, wish.background, form)
    # what else came with it (place, camera, earlier previews) is left behind
    result.info = {"icc_profile": profile} if profile else {}
    return result


def _orientation(image: Image.Image) -> Any:
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except _DAMAGED:
        # no reason to refuse the image itself
        return None


def _draft(image: Image.Image, whole: Size, plan: Geometry, turned: bool) -> None:
    """A JPEG can be decoded at a half, a quarter or an eighth of its size, which saves most of the time and memory."""
    left, upper, right, lower = plan.box
    needed = (
        math.ceil(whole[0] * plan.scaled[0] / (right - left)),
        math.ceil(whole[1] * plan.scaled[1] / (lower - upper)),
    )
    image.draft(None, needed[::-1] if turned else needed)


def _box(plan: Geometry, whole: Size, decoded: Size) -> tuple[float, float, float, float]:
    """The plan's box in the pixels that were decoded."""
    across, down = decoded[0] / whole[0], decoded[1] / whole[1]
    left, upper, right, lower = plan.box
    return left * across, upper * down, min(right * across, decoded[0]), min(lower * down, decoded[1])


def _plain(image: Image.Image) -> Image.Image:
    """As L, RGB or RGBA, which every step and format here can handle."""
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode.startswith("I"):
        # 16 bits of grey: the upper eight
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _on_canvas(scaled: Image.Image, plan: Geometry, background: str, form: str) -> Image.Image:
    opaque = scaled.mode == "RGBA" and form == "JPEG"
    if scaled.size == plan.canvas and not opaque:
        return scaled
    canvas = Image.new("RGB", plan.canvas, background)
    at = ((plan.canvas[0] - scaled.width) // 2, (plan.canvas[1] - scaled.height) // 2)
    canvas.paste(scaled, at, scaled if scaled.mode == "RGBA" else None)
    return canvas


def _save(image: Image.Image, out: BinaryIO, form: str, quality: int) -> None:
    # PNG is lossless, and leaves the quality aside
    image.save(out, form, quality=quality, icc_profile=image.info.get("icc_profile"))
