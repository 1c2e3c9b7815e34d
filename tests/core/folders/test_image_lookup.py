"""Which file a name means: the path as given, then its place in a data set; where nothing decides, none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.making import picture
from workbench.core.folders import image_lookup
from workbench.core.folders.image_lookup import ImageLookup, MatchKind


def lookup(folder: Path, *names: str) -> ImageLookup:
    for number, name in enumerate(names):
        picture(folder / name, grey=number)
    return ImageLookup([folder])


def test_the_path_as_given_goes_before_the_folder_of_its_split(tmp_path: Path) -> None:
    found = lookup(tmp_path, "a.jpg", "train/a.jpg").find("a.jpg", near=("annotations", "instances", "train"))
    assert (found.kind, found.file) == (MatchKind.EXACT, tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["a.jpg", "a"])
@pytest.mark.parametrize("folder", ["images", "JPEGImages"])
def test_a_folder_of_images_is_part_of_no_name(tmp_path: Path, folder: str, name: str) -> None:
    found = lookup(tmp_path, f"{folder}/train/a.jpg", f"{folder}/a.jpg", f"{folder}/d/a.jpg").find(
        name, near=("train",)
    )
    assert found.file == tmp_path / folder / "a.jpg"


def test_a_name_with_a_folder_of_images_is_found_without(tmp_path: Path) -> None:
    assert lookup(tmp_path, "a.jpg", "d/a.jpg").find("images/a.jpg").file == tmp_path / "a.jpg"


def test_the_folder_of_the_split_decides_between_others(tmp_path: Path) -> None:
    files = lookup(tmp_path, "train2017/a.jpg", "val2017/a.jpg")
    assert files.find("a.jpg", near=("annotations", "instances", "val2017")).file == tmp_path / "val2017/a.jpg"
    assert files.find("a.jpg").kind is MatchKind.AMBIGUOUS


@pytest.mark.parametrize(
    ("name", "is_found"),
    [("val/a.jpg", False), ("valid/a.jpg", False), ("x/val2017/a.jpg", False), ("training/a.jpg", True),
     ("old/a.jpg", True), ("valley/a.jpg", True), ("a.jpg", True)],
)  # fmt: skip
@pytest.mark.parametrize("home", ["train", "set/train2017"])
def test_an_image_of_another_split_is_not_taken_for_its_base_name(
    tmp_path: Path, name: str, is_found: bool, home: str
) -> None:
    picture(tmp_path / home / "a.jpg")
    assert (ImageLookup([tmp_path / "set"] if "set" in home else [tmp_path]).find(name).file is not None) is is_found
    assert (ImageLookup([tmp_path / home]).find(name).file is not None) is is_found


def test_of_several_folders_only_the_data_sets_own_goes_first(tmp_path: Path) -> None:
    for number, folder in enumerate(("set", "one", "other")):
        picture(tmp_path / folder / "a.jpg", grey=number)
    own = [tmp_path / "set", tmp_path / "one", tmp_path / "other"]
    assert ImageLookup(own).find("a.jpg").file == tmp_path / "set/a.jpg"
    for name in ("a", "old/a", "old/a.jpg"):  # as formats without suffixes ask, and files that were elsewhere
        assert ImageLookup(own).find(name).file == tmp_path / "set/a.jpg"
    (tmp_path / "set/a.jpg").unlink()
    assert ImageLookup(own).find("a.jpg").kind is MatchKind.AMBIGUOUS
    picture(tmp_path / "other/a.jpg", grey=1)
    assert ImageLookup(own).find("a.jpg").file == tmp_path / "one/a.jpg", "the same image"


def test_frames_of_many_films_are_not_looked_through_for_each_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"raw/film{film}/{name}" for film in range(40) for name in ("0.jpg", "1.jpg", "x.png")]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    files, told = ImageLookup([tmp_path]), ["film7/0.jpg", "film7/0", "set/film7/0.jpg", "film7/x.jpg"]
    monkeypatch.setattr(image_lookup, "_MANY", 1000)
    as_before = [files.find(name) for name in told]
    monkeypatch.setattr(image_lookup, "_MANY", 32)
    assert [files.find(name) for name in told] == as_before
    assert as_before[0].file == tmp_path / "raw/film7/0.jpg"
    assert as_before[-1].file == tmp_path / "raw/film7/x.png"
    walked: list[int] = []
    monkeypatch.setattr(image_lookup, "_agreement", lambda mine, theirs: len(walked.append(1) or "."))
    files.find("film8/0.jpg")
    assert len(walked) < 5, "of 40 films"


@pytest.mark.parametrize(
    "name",
    [
        "day 1/a b.jpg", "day%201/a%20b.jpg", "/data/local-files/?d=day%201/a%20b.jpg",
        "/data/local-files/?d=day%201%2Fa%20b.jpg", "https://x.example/day%201/a%20b.jpg?size=1&sig=a%2Fb",
    ],
)  # fmt: skip
def test_a_link_is_read_as_one_where_no_file_is_called_so(tmp_path: Path, name: str) -> None:
    wanted = picture(tmp_path / "day 1" / "a b.jpg")
    picture(tmp_path / "day 2" / "a b.jpg")
    assert ImageLookup([tmp_path]).find(name).file == wanted


def test_a_file_that_is_called_like_a_link_goes_before_what_it_would_mean(tmp_path: Path) -> None:
    wanted = picture(tmp_path / "a%20b.jpg")
    picture(tmp_path / "a b.jpg")
    picture(tmp_path / "what.jpg")
    lookup = ImageLookup([tmp_path])
    assert lookup.find("a%20b.jpg").file == wanted
    assert lookup.find("what?.jpg").kind is MatchKind.MISSING
    assert lookup.find("%2e%2e/a%2520b.png").file == wanted, "only what was scanned is found"


def test_the_hash_of_an_upload_is_no_part_of_its_name(tmp_path: Path) -> None:
    """Label Studio's COCO files: ../../label-studio/media/upload/4/0a1b2c3d-a.jpg."""
    wanted = picture(tmp_path / "a.jpg")
    lookup = ImageLookup([tmp_path])
    assert lookup.find("..\\..\\label-studio\\media\\upload\\4\\0a1b2c3d-a.jpg").file == wanted
    assert lookup.find("/data/upload/4/0a1b2c3d-a.jpg").file == wanted
    assert lookup.find("0a1b2c3d-a.jpg").kind is MatchKind.MISSING, "it may be another"
    kept = picture(tmp_path / "images" / "0a1b2c3d-a.jpg", grey=9)
    assert ImageLookup([tmp_path]).find("/data/upload/4/0a1b2c3d-a.jpg").file == kept
