"""The order of labels of a LabelMe folder, which lies in labels.txt."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.making import text
from tests.formats.test_labelme import content, labelme, shape


def test_the_order_of_labels_is_that_of_labels_txt(tmp_path: Path) -> None:
    text(tmp_path / "a.json", content(shape(label="dog"), shape(label="cat")))
    assert labelme.read(tmp_path).labels == ("dog", "cat")
    text(tmp_path / "labels.txt", "__ignore__\n_background_\r\ncat\nhorse\n")
    assert labelme.read(tmp_path).labels == ("cat", "horse", "dog")
    text(tmp_path / "labels.txt", "other\n")
    reading = labelme.read(tmp_path)
    assert reading.labels == ("dog", "cat")
    assert [r.file for r in reading.remarks] == ["labels.txt"]


def test_a_list_of_labels_that_cannot_be_read_is_told_and_the_boxes_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text(tmp_path / "a.json", content(shape(label="dog")))
    text(tmp_path / "labels.txt", "dog\n")
    real = Path.read_bytes

    def shut(file: Path) -> bytes:
        if file.name == "labels.txt":
            raise PermissionError(13, "Permission denied")
        return real(file)

    monkeypatch.setattr(Path, "read_bytes", shut)
    reading = labelme.read(tmp_path)
    assert reading.labels == ("dog",)
    (remark,) = reading.remarks
    assert (remark.level, remark.file) == ("read", "labels.txt")
    assert "could not be read: the file can't be read (Permission denied)" in remark.sentence
