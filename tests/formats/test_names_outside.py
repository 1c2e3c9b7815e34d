"""Names of images in foreign files that lead out of the data set's folder: not followed, and told, in every format."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.making import picture
from tests.promises.attack_names import USES, write
from workbench import formats

NO_PATHS = ("yolo", "kitti", "openimages", "csv")
PLACES = [use for use, (format, _) in USES.items() if format not in NO_PATHS and "list" not in use]
NAMES = ("../secret.png", "/etc/secret.png", "C:\\secret.png", "a/../../secret.png")
ODD = [
    ("createml image", "\0"),
    ("labelme imagePath", "\0"),
    ("vott id, name, path", "\0"),
    ("labelme imagePath", ".."),
    ("vott id, name, path", "a/..%2F../secret.png"),
    ("labelstudio image", "/data/local-files/?d=..%2Fsecret.png"),
    ("labelstudio image", "http://x/a/../../secret.png"),
]


@pytest.mark.parametrize(("use", "name"), [*((use, name) for use in PLACES for name in NAMES), *ODD])
def test_names_that_lead_outside_are_not_followed(tmp_path: Path, use: str, name: str) -> None:
    """Open Images' names are those of images that are there, and YOLO and KITTI go by their own files' names."""
    picture(tmp_path / "secret.png")
    format, make = USES[use]
    files = make(name)
    write(files, tmp_path / "set")
    for given in (tmp_path / "set", tmp_path / "set" / list(files)[-1]):
        reading = formats.load_all().get(format).read(given)
        assert {image.file for image in reading.images} == {None}
        assert any(remark.level == "repaired" and "outside" in remark.sentence for remark in reading.remarks)
