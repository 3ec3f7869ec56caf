"""The built-in task ``image-resize`` on real images."""

from __future__ import annotations

import os
import random
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image, ImageOps

from shardkeeper.tasks.folders import PathRefused
from shardkeeper.tasks.image_resize import ImageRefused, ImageResize
from shardkeeper.tasks.parameters import WrongParameters
from shardkeeper.testing import run_task

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def folder(tmp_path: Path, allow: Callable[..., None]) -> Path:
    made = tmp_path / "images"
    made.mkdir()
    allow(file_dirs=[str(made)])
    return made


def halves(width: int, height: int) -> Image.Image:
    """The left half red, the right half blue."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image


def resize(source: str = "a.png", target: str = "b.png", **parameters: Any) -> Any:
    return run_task(ImageResize, parameters={"source": source, "target": target, **parameters}).result


def near(pixel: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(a - b) <= 12 for a, b in zip(pixel, colour, strict=False))


def test_the_result_tells_what_was_read_and_what_was_written(folder: Path) -> None:
    halves(400, 200).save(folder / "a.png")
    found = resize(width=100)
    written = folder / "b.png"
    assert found == {
        "target": str(written),
        "format": "PNG",
        "width": 100,
        "height": 50,
        "bytes": written.stat().st_size,
        "source": {"format": "PNG", "width": 400, "height": 200, "bytes": (folder / "a.png").stat().st_size},
    }
    with Image.open(written) as image:
        assert (image.format, image.size) == ("PNG", (100, 50))
        assert near(image.getpixel((10, 25)), RED)
        assert near(image.getpixel((90, 25)), BLUE)


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({"height": 50}, (100, 50)),
        ({"width": 100, "height": 100}, (100, 50)),
        ({"width": 100, "height": 100, "mode": "cover"}, (100, 100)),
        ({"width": 100, "height": 100, "mode": "pad"}, (100, 100)),
        ({"width": 100, "height": 100, "mode": "stretch"}, (100, 100)),
        ({"width": 800}, (400, 200)),
        ({"width": 800, "enlarge": True}, (800, 400)),
        ({"width": 800, "height": 800, "mode": "cover"}, (200, 200)),
        ({"width": 800, "height": 800, "mode": "cover", "enlarge": True}, (800, 800)),
        ({"width": 800, "height": 100, "mode": "stretch"}, (400, 100)),
        ({"width": 1}, (1, 1)),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_mode_decides_the_size(
    folder: Path, parameters: dict[str, Any], size: tuple[int, int], suffix: str
) -> None:
    halves(400, 200).save(folder / f"a.{suffix}")
    found = resize(f"a.{suffix}", **parameters)
    with Image.open(folder / "b.png") as image:
        assert image.size == size == (found["width"], found["height"])


def test_cover_cuts_off_both_sides_and_pad_fills_them(folder: Path) -> None:
    image = Image.new("RGB", (400, 100), RED)
    image.paste(BLUE, (150, 0, 250, 100))
    image.save(folder / "a.png")
    resize(width=50, height=50, mode="cover")
    with Image.open(folder / "b.png") as cut:
        assert all(near(cut.getpixel((x, 25)), BLUE) for x in (1, 25, 48))
    resize(width=50, height=50, mode="pad", background="#00ff00")
    with Image.open(folder / "b.png") as padded:
        assert near(padded.getpixel((25, 2)), (0, 255, 0))
        assert near(padded.getpixel((2, 25)), RED)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_every_format_is_written_by_name_and_by_suffix(folder: Path, form: str) -> None:
    halves(40, 20).save(folder / "a.png")
    assert resize(target="b", width=10, format=form)["format"] == form
    target = f"b.{form.lower()}"
    assert resize(target=target, width=10)["format"] == form
    with Image.open(folder / target) as image:
        assert image.format == form


def test_the_format_of_the_source_is_kept_where_nothing_else_is_said(folder: Path) -> None:
    halves(40, 20).save(folder / "a.webp")
    assert resize("a.webp", "thumbnail", width=10)["format"] == "WEBP"
    halves(40, 20).save(folder / "a.bmp")
    assert resize("a.bmp", "thumbnail", width=10)["format"] == "PNG"


def test_less_quality_takes_less_room(folder: Path) -> None:
    Image.effect_noise((200, 200), 80).save(folder / "a.png")
    sizes = [resize(target="b.jpg", width=200, quality=quality)["bytes"] for quality in (95, 30)]
    assert sizes[0] > 2 * sizes[1]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_images_of_every_mode_are_resized(folder: Path, mode: str) -> None:
    image = Image.new(mode, (40, 20)) if mode == "I;16" else halves(40, 20).convert(mode)
    suffix = "jpg" if mode == "CMYK" else "png"
    image.save(folder / f"a.{suffix}")
    for target in ("b.png", "b.jpg", "b.webp"):
        assert resize(f"a.{suffix}", target, width=10)["height"] == 5


def test_transparency_is_kept_where_the_format_has_it_and_else_filled(folder: Path) -> None:
    Image.new("RGBA", (40, 20), (255, 0, 0, 0)).save(folder / "a.png")
    resize(target="b.webp", width=10)
    with Image.open(folder / "b.webp") as image:
        assert image.getpixel((5, 2))[3] == 0  # type: ignore[index]
    resize(target="b.jpg", width=10, background="#0000ff")
    with Image.open(folder / "b.jpg") as image:
        assert near(image.getpixel((5, 2)), BLUE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_its_camera_says_and_forgets_the_rest(folder: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "a camera"
    picture = halves(1600, 800)
    picture.paste((0, 255, 0), (0, 0, 800, 400))
    picture.save(folder / "a.jpg", exif=exif)
    with Image.open(folder / "a.jpg") as image:
        expected = ImageOps.exif_transpose(image).resize((40, 80) if orientation > 4 else (40, 20))
    found = resize("a.jpg", "b.png", width=40)
    assert (found["width"], found["height"]) == expected.size
    with Image.open(folder / "b.png") as image:
        for x, y in ((0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9)):
            at = (int(x * expected.width), int(y * expected.height))
            assert near(image.getpixel(at), expected.getpixel(at))  # type: ignore[arg-type]
        assert not dict(image.getexif())


# what is refused


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is so large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(7_000, 7_000), (10_000, 10_000), (60_000, 60_000)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(folder: Path, size: tuple[int, int]) -> None:
    (folder / "a.png").write_bytes(bomb(*size))
    with pytest.raises(ImageRefused, match="pixels"):
        resize(width=10)
    assert not (folder / "b.png").exists()


def test_a_result_with_too_many_pixels_is_refused(folder: Path) -> None:
    Image.new("RGB", (1, 3_000)).save(folder / "a.png")
    with pytest.raises(ImageRefused, match="the result would have"):
        resize(width=16_000, enlarge=True)
    with pytest.raises(ImageRefused, match="the result would have 100 x 100"):
        resize(width=100, height=100, mode="pad", max_pixels=9_999)


def test_an_animated_image_is_refused(folder: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, BLUE)]
    for name in ("a.gif", "a.webp", "a.png"):
        frames[0].save(folder / name, save_all=True, append_images=frames[1:])
        with pytest.raises(ImageRefused, match="animated"):
            resize(name, width=10)


def test_what_is_damaged_or_no_image_is_refused_and_leaves_the_target_alone(folder: Path) -> None:
    halves(400, 400).save(folder / "whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    (folder / "b.png").write_text("as it was")
    for content in (b"", b"hello", whole[: len(whole) // 2], whole[:30], b"%!PS-Adobe-3.0 EPSF-3.0\n"):
        (folder / "a.jpg").write_bytes(content)
        with pytest.raises(ImageRefused, match="damaged"):
            resize("a.jpg", width=10)
    assert (folder / "b.png").read_text() == "as it was"
    assert sorted(path.name for path in folder.iterdir()) == ["a.jpg", "b.png", "whole.jpg"]


@pytest.mark.filterwarnings("ignore")  # Pillow's, of odd EXIF data
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_rubbish_of_every_kind_is_resized_or_refused(folder: Path, form: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    more = {"exif": exif} if form in ("PNG", "JPEG", "WEBP") else {}
    Image.effect_noise((60, 40), 90).convert("RGB").save(folder / "whole", form, **more)
    whole = (folder / "whole").read_bytes()
    rng = random.Random(form)
    for number in range(200):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            content[rng.randrange(len(content) if number % 2 else min(len(content), 300))] = rng.randrange(
                256
            )
        (folder / "a").write_bytes(content[: rng.randrange(len(content))] if number % 5 == 0 else content)
        with suppress(ImageRefused):
            resize("a", width=10)


def test_a_target_that_cannot_be_written_leaves_no_draft(folder: Path) -> None:
    halves(40, 20).save(folder / "a.png")
    (folder / "b.png").mkdir()
    with pytest.raises(IsADirectoryError):
        resize(width=10)
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "b.png"]


def test_without_folders_a_node_opens_nothing(tmp_path: Path, allow: Callable[..., None]) -> None:
    allow()
    halves(40, 20).save(tmp_path / "a.png")
    with pytest.raises(PathRefused, match=r"tasks\.file_dirs is empty"):
        resize(str(tmp_path / "a.png"), width=10)


@pytest.mark.parametrize("path", ["../a.png", "/etc/passwd", "sub/../../a.png", "/", "."])
def test_a_path_outside_the_folders_is_refused(folder: Path, path: str) -> None:
    halves(40, 20).save(folder.parent / "a.png")
    halves(40, 20).save(folder / "a.png")
    with pytest.raises(PathRefused):
        resize(path, width=10)
    with pytest.raises(PathRefused):
        resize("a.png", path, width=10)


def test_symbolic_links_lead_nowhere(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    halves(40, 20).save(outside / "a.png")
    (folder / "link.png").symlink_to(outside / "a.png")
    (folder / "sub").symlink_to(outside)
    halves(40, 20).save(folder / "a.png")
    for source in ("link.png", "sub/a.png"):
        with pytest.raises((PathRefused, OSError)):
            resize(source, width=10)
    with pytest.raises(PathRefused, match="symbolic link"):
        resize(target="sub/b.png", width=10)
    # a link in the target's place is replaced, not followed
    before = (outside / "a.png").read_bytes()
    resize(target="link.png", width=10)
    assert not (folder / "link.png").is_symlink()
    assert (outside / "a.png").read_bytes() == before


def test_a_pipe_is_no_image(folder: Path) -> None:
    os.mkfifo(folder / "a.png")
    with pytest.raises(PathRefused, match="no plain file"):
        resize(width=10)


def test_any_allowed_folder_may_be_named_in_full(
    folder: Path, tmp_path: Path, allow: Callable[..., None]
) -> None:
    other = tmp_path / "thumbnails" / "small"
    other.mkdir(parents=True)
    allow(file_dirs=[str(folder), str(other.parent)])
    halves(40, 20).save(folder / "a.png")
    assert resize(target=str(other / "b.png"), width=10)["target"] == str(other / "b.png")


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({}, "width or height is missing"),
        ({"width": 0}, "width is not from 1"),
        ({"height": 16_384}, "height is not from 1 to 16383"),
        ({"width": 10, "mode": "crop"}, "mode is not one of fit, cover, pad, stretch"),
        ({"width": 10, "format": "TIFF"}, "format is not one of PNG, JPEG, WEBP"),
        ({"width": 10, "quality": 101}, "quality is not from 1 to 100"),
        ({"width": 10, "background": "white"}, "background is not a colour"),
        ({"width": 10, "enlarge": 1}, "enlarge is not true or false"),
        ({"width": 10, "max_pixels": 10**12}, "max_pixels is not from"),
        ({"width": 10, "source": ""}, "source is not a text"),
    ],
)
def test_wrong_parameters_are_named(folder: Path, parameters: dict[str, Any], reason: str) -> None:
    with pytest.raises(WrongParameters, match=reason):
        run_task(ImageResize, parameters={"source": "a.png", "target": "b.png", **parameters})
