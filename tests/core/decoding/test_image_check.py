"""A file that kills or stalls its decoder costs that file and nothing else."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.core import awkward_files as awkward
from workbench.core import images
from workbench.core.decoding.image_check import MEMORY, SECONDS, ImageChecker, ImageCheckResult, block_marked, recheck
from workbench.core.decoding.image_files import ENDED, crash_sentence
from workbench.core.decoding.image_header import ImageHeader
from workbench.core.document import Document
from workbench.core.folders import image_records
from workbench.core.project import Image
from workbench.errors import Refused

# A child that answers like the real one but dies on names with "kill" and hangs on names with "hang".
FAKE = """
import json, os, sys, threading
for line in sys.stdin:
    name = json.loads(line)
    if "kill" in name:
        os.abort()
    if "hang" in name:
        threading.Event().wait()
    print(json.dumps([None, "seen"]), flush=True)
"""


def check_in_child(
    files: Sequence[Path], memory: int = MEMORY, seconds: float = SECONDS, child: Sequence[str] = ()
) -> Iterator[ImageCheckResult]:
    """Decode each of `files` in a child process and yield what came of it, in order. Closing it ends the child."""
    with contextlib.closing(ImageChecker(memory, seconds, child)) as checker:
        for file in files:
            yield checker.check(file)


def test_good_and_bad_files_are_told_in_order(tmp_path: Path) -> None:
    (tmp_path / "Übung 🐕\n.jpg").write_bytes(awkward.held_sideways(6, "JPEG"))
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "half.jpg").write_bytes(awkward.saved(awkward.photograph(), "JPEG")[:700])
    files = [tmp_path / name for name in ("Übung 🐕\n.jpg", "empty.png", "half.jpg", "gone.jpg")]
    good, empty, half, gone = check_in_child(files)
    assert good == ImageCheckResult(files[0], ImageHeader(64, 32, 6, "JPEG", 1, 8))
    assert empty.problem.startswith("the file is empty")
    assert "cut off" in half.problem
    assert "not there" in gone.problem


def test_a_file_that_kills_or_stalls_the_decoder_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    names = ["a", "kill", "b", "kill", "hang", "c"]
    results = list(check_in_child([Path(n) for n in names], seconds=2, child=(sys.executable, "-c", FAKE)))
    assert [str(r.file) for r in results] == names
    assert [r.problem for r in results] == ["seen", ENDED, "seen", ENDED, ENDED, "seen"]
    assert [r.ended for r in results] == [False, True, False, True, True, False]


def test_a_child_that_cannot_even_start_refuses_each_file_and_ends() -> None:
    files = [Path("a"), Path("b")]
    results = list(check_in_child(files, child=(sys.executable, "-c", "")))
    assert [(r.file, r.info) for r in results] == [(files[0], None), (files[1], None)]
    assert all(r.ended for r in results)


def test_no_files_start_no_child() -> None:
    assert list(check_in_child([], child=("a command that does not exist",))) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on address space")
def test_an_image_that_needs_more_memory_than_allowed_is_refused_with_a_sentence(tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(awkward.bomb(13_000))
    small = tmp_path / "small.png"
    small.write_bytes(awkward.png_16(np.zeros((2, 2), np.uint16)))
    refused, taken = check_in_child([large, small], memory=500_000_000)
    assert "memory" in refused.problem or refused.ended
    assert taken.info == ImageHeader(2, 2, 1, "PNG", 1, 16)


def test_images_that_end_the_check_are_marked_and_not_read_again_until_they_are_mended(tmp_path: Path) -> None:
    (folder := tmp_path / "photographs").mkdir()
    for name in ("a.png", "kill.png", "z.png"):
        (folder / name).write_bytes(awkward.saved(awkward.photograph(), "PNG"))
    with Document.create(tmp_path / "p", folder) as document:
        project = document.store.file
        ids = [image.id for image in document.images()]
    told = list(recheck(project, [*ids, 10**6], child=(sys.executable, "-c", FAKE)))
    assert [checked.file.name for checked in told] == ["kill.png"]
    bad = folder / "kill.png"
    with Document.open(tmp_path / "p") as document:
        assert {image.name: image.problem for image in document.images() if image.problem} == {
            "kill.png": crash_sentence(bad)
        }
        assert images.read(bad).shape == (48, 64, 3), "nothing keeps this process from it yet"
        block_marked(document)
        for use in (images.info, images.read, images.for_screen, lambda file: images.thumbnail(file, 8)):
            with pytest.raises(Refused, match="ended the program"):
                use(bad)
        assert images.read(folder / "a.png").shape == (48, 64, 3)
        bad.write_bytes(awkward.saved(awkward.corners(), "PNG"))
        block_marked(document)
        assert images.read(bad).shape == (32, 64, 3), "it is another file now"


def test_files_of_less_tried_kinds_are_described_by_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = awkward.saved(awkward.photograph(), "TIFF")
    for name, data in (
        ("a.tif", awkward.held_sideways(6, "TIFF")), ("b.jpg", whole[:-3000]),
        ("c.png", awkward.saved(awkward.photograph(), "PNG")), ("d.jpg", b""),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(data)
    here: list[str] = []
    real = image_records.with_header

    def measured(image: Image, file: Path) -> Image:
        here.append(file.name)
        return real(image, file)

    monkeypatch.setattr(image_records, "with_header", measured)
    found = {image.path: image for image in image_records.describe(tmp_path, 1)}
    assert here == ["c.png", "d.jpg"], "an empty file is nothing to decode"
    assert (found["a.tif"].width, found["a.tif"].height, found["a.tif"].orientation) == (64, 32, 6)
    assert found["a.tif"].date > 1e9
    assert "damaged" in found["b.jpg"].problem
    assert (found["c.png"].problem, found["c.png"].width) == ("", 64)
    assert "empty" in found["d.jpg"].problem


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_named_like_an_image_is_described_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (found,) = image_records.describe(tmp_path, 1)
    assert "not a file" in found.problem
