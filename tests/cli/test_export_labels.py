"""`export-labels --replace`: what it refuses, what it removes and what it tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.formats.making import picture, text, voc_file, voc_object
from workbench import console
from workbench.cli import main
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Split

Capture = pytest.CaptureFixture[str]


def told(capsys: Capture) -> dict[str, object]:
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def test_photographs_next_to_those_of_the_project_are_not_overwritten(tmp_path: Path, capsys: Capture) -> None:
    other = picture(tmp_path / "set" / "JPEGImages" / "a.jpg", grey=10)
    own = picture(tmp_path / "set" / "JPEGImages" / "night" / "a.jpg", grey=200)
    text(own.with_suffix(".xml"), voc_file(voc_object("cat", (2, 2, 9, 9))))
    project, before = tmp_path / "p", (other.read_bytes(), own.read_bytes())
    assert before[0] != before[1]
    assert main(["new", str(project), "--images", str(own.parent)]) == console.DONE
    assert main(["import", str(project), str(own.parent), "--format", "voc"]) == console.DONE
    command = ["export-labels", str(project), str(tmp_path / "set"), "--format", "voc", "--replace"]
    assert main([*command, "--copy-images"]) == console.FAILED
    assert "holds photographs of the project" in capsys.readouterr().err
    assert (other.read_bytes(), own.read_bytes()) == before
    assert main(command) == console.DONE, "the labels alone may"
    assert (other.read_bytes(), own.read_bytes()) == before


def test_what_is_removed_and_what_is_of_others_is_told(tmp_path: Path, capsys: Capture) -> None:
    for name in ("a", "b"):
        file = picture(tmp_path / "photographs" / f"{name}.jpg")
        text(file.with_suffix(".xml"), voc_file(voc_object("cat", (2, 2, 9, 9)), filename=file.name))
    project, folder = tmp_path / "p", tmp_path / "set"
    assert main(["new", str(project), "--images", str(tmp_path / "photographs")]) == console.DONE
    assert main(["import", str(project), str(tmp_path / "photographs"), "--format", "voc"]) == console.DONE
    command = ["export-labels", str(project), str(folder), "--format", "yolo", "--copy-images", "--replace"]
    assert main(command) == console.DONE
    with Document.open(project) as document:
        document.do(edits.SetSplit((document.images()[0].id,), Split.TRAIN))
    theirs = text(folder / "labels" / "none" / "x.txt", "0 0.5 0.5 0.1 0.1\n")
    capsys.readouterr()
    assert main([*command, "--json"]) == console.DONE
    answer = told(capsys)
    assert (answer["copied"], answer["removed"]) == (1, 2)
    remarks = answer["remarks"]
    assert isinstance(remarks, list)
    assert [remark["file"] for remark in remarks if remark["level"] == "warning"] == ["labels/none/x.txt"]
    assert theirs.is_file()
    assert not (folder / "labels" / "none" / "a.txt").exists()
    assert main([*command, "--verbose"]) == console.DONE
    assert "warning  labels/none/x.txt: It is not from this export" in capsys.readouterr().err
