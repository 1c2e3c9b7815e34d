"""Folders that labels were exported to are remembered; an edit that gives labels other numbers is told beforehand."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from tests.formats.making import picture
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.errors import WorkbenchError
from workbench.exchange import export_again, export_history, export_labels, remember, renumbered


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Labels cat, dog, owl, one box of each."""
    picture(tmp_path / "photos" / "a.png")
    with Document.create(tmp_path / "p", tmp_path / "photos") as document:
        document.do(edits.AddLabels(tuple(Label(0, name) for name in ("cat", "dog", "owl"))))
        document.draw(tuple(Box(0, 1, label.id, (0, 0, 3 + label.id, 4)) for label in document.labels()))
    return tmp_path / "p"


def written(document: Document, format: str, folder: Path) -> Path:
    snapshot = document.snapshot()
    report = export_labels(snapshot, format, folder)
    remember(document, report, snapshot.labels, copied=False)
    return folder


def test_moving_deleting_and_merging_tell_which_numbers_change(project: Path, tmp_path: Path) -> None:
    with Document.open(project) as document:
        yolo, coco = written(document, "yolo", tmp_path / "y"), written(document, "coco", project / "exports" / "c")
        written(document, "voc", tmp_path / "v")  # has names, no numbers
        cat, dog, owl = document.labels()
        swap = edits.Batch(
            (
                edits.ChangeLabel(dataclasses.replace(cat, position=dog.position)),
                edits.ChangeLabel(dataclasses.replace(dog, position=cat.position)),
            )
        )
        found = renumbered(document, swap)
        assert {one.exported.folder for one in found} == {yolo, coco}
        by_folder = {one.exported.folder: one.changes for one in found}
        assert by_folder == {yolo: (("cat", 0, 1), ("dog", 1, 0)), coco: (("cat", 1, 2), ("dog", 2, 1))}
        for edit in (edits.RemoveLabel(cat.id), edits.MergeLabels(cat.id, owl.id)):
            by_folder = {one.exported.folder: one.changes for one in renumbered(document, edit)}
            assert by_folder[yolo] == (("cat", 0, None), ("dog", 1, 0), ("owl", 2, 1))
            assert by_folder[coco] == (("cat", 1, None), ("dog", 2, 1), ("owl", 3, 2))
        assert renumbered(document, edits.AddLabels((Label(0, "bee"),))) == ()
        assert renumbered(document, edits.ChangeLabel(dataclasses.replace(cat, name="Katze", key="3"))) == ()
        shutil.rmtree(yolo)  # thrown away: nothing to be told
        assert [one.exported.folder for one in renumbered(document, swap)] == [coco]
        assert document.undo_title.startswith("Add 3 boxes")  # remembering is no edit


def test_what_was_exported_is_known_after_a_restart_and_a_move_of_the_project(project: Path, tmp_path: Path) -> None:
    with Document.open(project) as document:
        written(document, "yolo", project / "exports" / "y")
        written(document, "yolo", tmp_path / "elsewhere")
        document.do(edits.RemoveLabel(document.labels()[0].id))
        written(document, "yolo", tmp_path / "newer")
    moved = tmp_path / "moved"
    project.rename(moved)
    with Document.open(moved, read_only=True) as document:
        folders = [one.folder for one in export_history.past_exports(document)]
        assert folders == [tmp_path / "newer", tmp_path / "elsewhere", moved / "exports" / "y"]
        assert [len(one.labels) for one in export_history.past_exports(document)] == [2, 3, 3]


def test_a_folder_written_anew_has_the_new_numbers_and_loses_nothing(project: Path, tmp_path: Path) -> None:
    with Document.open(project) as document:
        folder = written(document, "yolo", tmp_path / "y")
        labels = next(folder.rglob("a.txt"))
        assert [line[0] for line in labels.read_text().splitlines()] == ["0", "1", "2"]
        (folder / "my notes.md").write_text("kept")
        document.do(edits.RemoveLabel(document.labels()[0].id))
        for number in (1, 2):
            (one,) = export_history.past_exports(document)
            report, aside = export_again(document.snapshot(), one)
            assert report.folder == folder
            assert aside == tmp_path / f"y (numbers before {number})"
        assert [line[0] for line in labels.read_text().splitlines()] == ["0", "1"]
        first = tmp_path / "y (numbers before 1)"
        assert (first / "my notes.md").read_text() == "kept"
        assert len(next(first.rglob("a.txt")).read_text().splitlines()) == 3


def test_where_writing_anew_fails_the_old_folder_is_back(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_snapshot: object, _format: str, folder: Path, _copy: bool, *, project: Path) -> None:
        assert project == tmp_path / "p", "so that the next export knows what this one wrote"
        (folder / "half").mkdir(parents=True)
        (folder / "half" / "data.yaml").touch()
        raise WorkbenchError("The disk is full.")

    with Document.open(project) as document:
        folder = written(document, "yolo", tmp_path / "y")
        before = sorted(file.name for file in folder.rglob("*"))
        monkeypatch.setattr(export_history, "export_labels", full)
        with pytest.raises(WorkbenchError, match="disk is full"):
            export_again(document.snapshot(), export_history.past_exports(document)[0])
        assert sorted(file.name for file in folder.rglob("*")) == before


def test_a_folder_with_photographs_of_the_project_is_never_put_aside(project: Path, tmp_path: Path) -> None:
    with Document.open(project) as document:
        snapshot = document.snapshot()
        report = export_labels(snapshot, "yolo", tmp_path / "photos", replace=True)
        remember(document, report, snapshot.labels, copied=False)
        with pytest.raises(WorkbenchError, match="holds photographs of the project"):
            export_again(document.snapshot(), export_history.past_exports(document)[0])
        assert document.file(document.images()[0]).is_file()


def test_a_folder_that_nobody_may_look_into_is_not_asked_about(project: Path, tmp_path: Path) -> None:
    """As on a share that does not answer: each edit of labels ended in an error of the program."""
    with Document.open(project) as document:
        snapshot = document.snapshot()
        report = export_labels(snapshot, "yolo", tmp_path / "set")
        remember(document, dataclasses.replace(report, folder=tmp_path / ("x" * 300)), snapshot.labels, copied=False)
        assert export_history.past_exports(document) == ()
