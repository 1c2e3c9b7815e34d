"""The decoder table: each awkward file is refused with a sentence, or all who read it see the same, right pixels.

All who read: the project (its header), training, the screen, the gallery. Control: readers as other programs use them,
which must fail the same check in the rows that are known for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.promises.decoder_rows import Row, rows
from workbench.core import images
from workbench.errors import Refused

ROWS = list(rows())
_STRIP = 512


Way = Callable[[Path, Row], np.ndarray]


@dataclass(frozen=True)
class Reader:
    """Ways to the pixels of a file, (H, W, 3) uint8 RGB; `size` (width, height) as a project notes it."""

    size: Callable[[Path], tuple[int, int]]
    ways: tuple[Way, ...]


def strips(image: np.ndarray) -> Iterator[np.ndarray]:
    return (image[top : top + _STRIP] for top in range(0, len(image), _STRIP))


def fault(reader: Reader, file: Path, row: Row) -> str:
    """What is wrong with what `reader` makes of the row's file; "" if nothing is."""
    seen: list[np.ndarray | None] = []
    for way in reader.ways:
        try:
            image = way(file, row)
            wrong = _wrong(image, reader.size(file), row, seen)
        except Refused as refusal:
            image, wrong = None, _wrongly_refused(refusal, file, row)
        if wrong:
            return wrong
        seen.append(image)
    return "" if len({image is None for image in seen}) == 1 else "one sees it, another does not"


def _wrongly_refused(refusal: Refused, file: Path, row: Row) -> str:
    told = row.refused or ("" if row.upright else " ")
    return "" if told and told in refusal.reason and str(file) in refusal.sentence else f"refused: {refusal}"


def _wrong(image: np.ndarray, size: tuple[int, int], row: Row, seen: Sequence[np.ndarray | None]) -> str:
    if row.refused:
        return "it was read"
    if image.dtype != np.uint8 or image.shape != (size[1], size[0], 3):
        return f"{image.dtype} {image.shape} for {size[0]} x {size[1]}"
    wanted = row.upright() if row.upright else image
    if wanted.shape != image.shape:
        return f"{image.shape} instead of {wanted.shape}"
    for ours, right in zip(strips(image), strips(wanted), strict=True):
        if int(cv2.absdiff(np.ascontiguousarray(ours), np.ascontiguousarray(right)).max()) > row.off:
            return "wrong pixels"
    if not all(other is not None and all(map(np.array_equal, strips(image), strips(other))) for other in seen):
        return "two see different pixels"
    return ""


def _ours() -> Reader:
    def size(file: Path) -> tuple[int, int]:
        about = images.info(file)
        return about.width, about.height

    def gallery(file: Path, row: Row) -> np.ndarray:
        return images.thumbnail(file, 8 if row.refused else max(size(file)), row.window)

    ways: list[Way] = [
        lambda file, row: images.read(file, row.window),
        lambda file, row: images.for_screen(file, row.window)[..., 2::-1],
        gallery,
    ]
    return Reader(size, tuple(ways))


def _permissive(read: Callable[[Path], np.ndarray | None]) -> Reader:
    """As many programs do it: what can't be read is None or an exception, all else is taken."""

    def decoded(file: Path) -> np.ndarray:
        try:
            image = read(file)
        except Exception as problem:
            raise Refused(file, f"cut off damaged empty web page rename too large: {problem}") from problem
        if image is None:
            raise Refused(file, "cut off damaged empty web page rename too large")
        return image

    def size(file: Path) -> tuple[int, int]:
        image = decoded(file)
        return image.shape[1], image.shape[0]

    return Reader(size, (lambda file, _: decoded(file),))


def _cv2(file: Path) -> np.ndarray | None:
    if "\udce9" in str(file):
        return None  # it would end this process, which is worse
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    return None if image is None else image[..., ::-1]


def _pillow(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


CONTROLS = {
    "cv2.imread": (
        _permissive(_cv2),
        {"baseline JPEG cut to 50%", "JPEG that ends in zeros", "16-bit grey PNG", "float TIFF", "not UTF-8"},
    ),
    'Pillow convert("RGB")': (
        _permissive(_pillow),
        {
            "16-bit grey PNG", "12 bit in 16, with its window", "float TIFF", "EXIF 6 JPEG", "EXIF 6 PNG",
            "EXIF 8 WEBP", "JPEG without its last 2 bytes",
        },
    ),
}  # fmt: skip


def put(folder: Path, row: Row) -> Path:
    file = folder / row.file
    if "\0" not in row.file:
        file.write_bytes(row.data())
    return file


@pytest.mark.parametrize("row", [pytest.param(r, marks=[pytest.mark.slow] * r.large) for r in ROWS], ids=str)
def test_each_file_of_the_table_is_refused_with_a_sentence_or_seen_alike_and_rightly_by_all(
    row: Row, tmp_path: Path
) -> None:
    if os.name == "nt" and set(row.file) & set('"\n\udce9'):
        pytest.skip("Windows has no such name")
    assert fault(_ours(), put(tmp_path, row), row) == ""


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_permissive_reader_fails_the_table(name: str, tmp_path: Path) -> None:
    reader, known = CONTROLS[name]
    failed = set()
    for number, row in enumerate(ROWS):
        if not row.large and "\0" not in row.file:
            (folder := tmp_path / str(number)).mkdir()
            if fault(reader, put(folder, row), row):
                failed.add(row.name)
    assert known <= failed
    print(f"\n{name} fails {len(failed)} of {len(ROWS)} rows: {', '.join(sorted(failed))}")


def test_the_table_is_whole() -> None:
    """No row is left out when the list is changed: their names, without the numbers of their kinds."""
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
    for words in (
        "12,000^2", "20,000^2", "30,000^2", "1.1 gigapixels", "60,000^2", "65,500^2", "3.2 GB", "EXIF 8 JPEG",
        "EXIF 8 PNG", "EXIF 8 WEBP", "animated GIF", "animated WebP", "APNG", "multi-page", "float", "16-bit RGB",
        "12 bit in 16", "CMYK", "NFD", "quotes", "new line", "200 characters", "dash", "not UTF-8", "NUL",
    ):  # fmt: skip
        assert any(words in name for name in names), words
