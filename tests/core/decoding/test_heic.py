"""HEIC photographs: upright, by the header too, with a sentence where they can't be read."""

from __future__ import annotations

import struct
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.core import awkward_files as awkward
from tests.core.decoding import heic_files
from workbench.core.decoding import heic
from workbench.core.files import scan_images
from workbench.core.folders.image_records import describe
from workbench.core.images import for_screen, info, read, thumbnail
from workbench.errors import Refused


def put(folder: Path, data: bytes, name: str = "a.heic") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def test_a_photograph_of_an_upright_phone_is_upright_and_its_size_is_told_so(tmp_path: Path) -> None:
    file = put(tmp_path, heic_files.TURNED)
    about = info(file)
    assert (about.width, about.height, about.orientation, about.format, about.bits) == (64, 32, 1, "HEIF", 8)
    assert about.taken > 0
    found = read(file)
    expected = np.asarray(awkward.corners())
    assert found.shape == expected.shape
    for y, x in ((8, 16), (8, 48), (24, 16), (24, 48)):
        assert np.abs(found[y, x].astype(int) - expected[y, x]).max() < 30
    np.testing.assert_array_equal(for_screen(file)[..., 2::-1], found)
    assert thumbnail(file, 32).shape == (16, 32, 3)


def test_what_is_clear_lies_over_white(tmp_path: Path) -> None:
    assert read(put(tmp_path, heic_files.CLEAR)).shape == (32, 64, 3)


@pytest.mark.parametrize("data", [heic_files.TURNED, heic_files.PHOTOGRAPH])
def test_half_a_photograph_is_refused(tmp_path: Path, data: bytes) -> None:
    whole = read(put(tmp_path, data))
    refused = 0
    for length in range(12, len(data)):
        file = put(tmp_path, data[:length])
        try:
            np.testing.assert_array_equal(read(file), whole)
        except Refused:
            refused += 1
    assert refused > 0.95 * (len(data) - 12)


def test_it_is_among_the_images_of_a_folder_and_described(tmp_path: Path) -> None:
    put(tmp_path, heic_files.TURNED, "IMG_0001.HEIC")
    put(tmp_path, heic_files.PHOTOGRAPH, "b.heif")
    put(tmp_path, heic_files.PHOTOGRAPH, "really.jpg")  # by its first bytes, as always
    assert scan_images(tmp_path) == ["b.heif", "IMG_0001.HEIC", "really.jpg"]
    assert [(i.width, i.height, i.problem) for i in describe(tmp_path, 1)] == [(64, 48, ""), (64, 32, ""), (64, 48, "")]


def test_what_can_be_read_is_found_by_its_name_too(tmp_path: Path) -> None:
    for name, format in (("a.avif", "AVIF"), ("b.jp2", "JPEG2000")):
        put(tmp_path, awkward.saved(awkward.photograph(), format), name)
    assert [(i.path, i.width, i.problem) for i in describe(tmp_path, 1)] == [("a.avif", 64, ""), ("b.jp2", 64, "")]


def test_without_its_reader_each_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    heic.is_ready.cache_clear()
    try:
        with pytest.raises(Refused, match="pip install pi-heif"):
            read(put(tmp_path, heic_files.PHOTOGRAPH))
    finally:
        heic.is_ready.cache_clear()


def test_an_item_whose_kind_is_no_text_is_refused(tmp_path: Path) -> None:
    """pi-heif 1.4.0 ends the process at it."""
    damaged = heic_files.TURNED.replace(b"Exif", b"\xb8xif", 1)
    for reader in (read, info):
        with pytest.raises(Refused, match="damaged"):
            reader(put(tmp_path, damaged))


@pytest.mark.parametrize(
    "more", [struct.pack(">I4s", 8, b"free") * 1_000_000, struct.pack(">I4s", 0, b"meta") + bytes(5 << 20),
             struct.pack(">I4sQ", 1, b"free", 2**64 - 1)],
    ids=["a million boxes", "a huge one", "one beyond all disks"],
)  # fmt: skip
def test_what_no_phone_writes_is_refused_at_once(tmp_path: Path, more: bytes) -> None:
    file = put(tmp_path, heic_files.TURNED[:28] + more)
    begun = time.process_time()
    for reader in (read, info):
        with pytest.raises(Refused, match="damaged"):
            reader(file)
    assert time.process_time() - begun < 2


def test_another_container_is_not_taken_for_one() -> None:
    assert heic.is_heic(heic_files.PHOTOGRAPH[:64])
    assert not heic.is_heic(awkward.saved(awkward.photograph(), "AVIF")[:64])
    assert not heic.is_heic(b"\0\0\0\x18ftypmp42\0\0\0\0")
    assert not heic.is_heic(b"")


def test_of_a_file_that_may_hold_either_the_brands_behind_tell(tmp_path: Path) -> None:
    """AVIF may call itself mif1, too; Pillow reads it then."""
    avif = awkward.saved(awkward.photograph(), "AVIF")
    assert avif[8:12] == b"avif"
    called = avif[:8] + b"mif1" + avif[12:]
    assert not heic.is_heic(called[:64])
    assert read(put(tmp_path, called)).shape == read(put(tmp_path, avif)).shape
    photograph = heic_files.PHOTOGRAPH[:64]
    assert heic.is_heic(photograph[:8] + b"mif1" + photograph[12:])
    assert heic.is_heic(b"\0\0\0\x14ftypmif1\0\0\0\0miaf")
