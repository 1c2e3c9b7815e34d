"""`workbench labels`, `images` and `undo`: what is corrected in the window can be corrected on a server."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.formats.making import picture
from workbench import console
from workbench.cli import images, main
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.label_keys import label_keys
from workbench.core.project import Box, Label, Split, State
from workbench.core.storage import history

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Four images in two folders, two of them in work, with three boxes; the labels cat, dog and bird."""
    for number, name in enumerate(("day 1/a.png", "day 1/b.png", "day 2/a.png", "day 2/c.png")):
        picture(tmp_path / "photographs" / name, grey=number)
    with Document.create(tmp_path / "p", tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cat"), Label(0, "dog"), Label(0, "bird"))))
        cat, dog, _ = document.labels()
        one, other, *_ = [image.id for image in document.images()]
        boxes = ((one, cat), (one, dog), (other, dog))
        document.do(edits.AddBoxes(tuple(Box(0, image, label.id, (1, 1, 9, 9)) for image, label in boxes)))
        document.do(edits.SetState((one, other), State.IN_WORK))
    return tmp_path / "p"


def did(capsys: Capture, command: str, project: Path, *more: str) -> dict[str, Any]:
    assert main([command, str(project), *more, "--json"]) == console.DONE
    return json.loads(capsys.readouterr().out)


def labels(project: Path) -> dict[str, int]:
    """How many boxes each has."""
    with Document.open(project, read_only=True) as document:
        return {label.name: document.label_counts().get(label.id, 0) for label in document.labels()}


def states(project: Path) -> dict[str, tuple[State, Split]]:
    with Document.open(project, read_only=True) as document:
        return {image.path: (image.state, image.split) for image in document.images()}


def test_labels_are_listed_renamed_merged_deleted_and_added_and_each_change_is_undone(
    project: Path, capsys: Capture
) -> None:
    before = {"cat": 1, "dog": 2, "bird": 0}
    listed = did(capsys, "labels", project)["labels"]
    assert {one["label"]: one["boxes"] for one in listed} == labels(project) == before
    for change, done, after in (
        (["--rename", "cat", "kitten"], {"renamed": "cat", "to": "kitten"}, {"kitten": 1, "dog": 2, "bird": 0}),
        (["--merge", "cat", "dog"], {"merged": "cat", "into": "dog", "boxes": 1}, {"dog": 3, "bird": 0}),
        (["--delete", "dog"], {"deleted": "dog", "boxes": 2}, {"cat": 1, "bird": 0}),
        (["--add", "fish", "--add", "fox"], {"added": 2}, {**before, "fish": 0, "fox": 0}),
    ):
        assert did(capsys, "labels", project, *change) == done
        assert labels(project) == after
        assert len(did(capsys, "undo", project)["undone"]) == 1
        assert labels(project) == before
    assert main(["labels", str(project)]) == console.DONE
    assert capsys.readouterr().out.split() == ["label", "boxes", "cat", "1", "dog", "2", "bird", "0"]


def test_the_other_labels_keep_their_number_keys(project: Path, capsys: Capture) -> None:
    did(capsys, "labels", project, "--merge", "cat", "dog")
    with Document.open(project, read_only=True) as document:
        assert {key: label.name for key, label in label_keys(document.labels()).items()} == {"2": "dog", "3": "bird"}


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        (["--rename", "cow", "calf"], console.FAILED, "called 'cow' in this project. There are: cat, dog, bird."),
        (["--rename", "cat", "dog"], console.FAILED, "There is already a label 'dog'."),
        (["--rename", "cat", "cat"], console.FAILED, "The label is called 'cat' already."),
        (["--merge", "cat", "cat"], console.FAILED, "can't be merged with itself"),
        (["--delete", "cat", "--add", "fox"], console.MISUSED, "only one of the options that change labels"),
    ],
)
def test_a_change_of_labels_that_cannot_be_changes_nothing(
    project: Path, change: list[str], code: int, sentence: str, capsys: Capture
) -> None:
    with Document.open(project, read_only=True) as document:
        before = history.of_project(document)
    assert main(["labels", str(project), *change]) == code
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert labels(project) == {"cat": 1, "dog": 2, "bird": 0}
    with Document.open(project, read_only=True) as document:
        assert history.of_project(document) == before, "there is nothing to undo"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([], ["day 1/a.png", "day 1/b.png", "day 2/a.png", "day 2/c.png"]),
        (["--state", "in work"], ["day 1/a.png", "day 1/b.png"]),
        (["--state", "in-work", "--label", "cat"], ["day 1/a.png"]),
        (["--split", "train"], []),
        (["c.png", "day 1/a.png"], ["day 2/c.png", "day 1/a.png"]),
        (["day 2/*", "c.png"], ["day 2/a.png", "day 2/c.png"]),
    ],
)
def test_images_are_listed_as_files_which_other_commands_take(
    project: Path, asked: list[str], expected: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["images", str(project), *asked]) == console.DONE
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [str(project.parent / "photographs" / name) for name in expected]
    assert shown.err.split()[0] == str(len(expected))
    assert [one["image"] for one in did(capsys, "images", project, *asked)["images"]] == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(shown.out.encode()), encoding="utf-8"))
    done = {"chosen": len(expected), "changed": len(expected), "marked": "verified"}
    assert did(capsys, "images", project, "-", "--mark", "verified") == done
    assert [path for path, (state, _) in states(project).items() if state is State.VERIFIED] == sorted(expected)


def test_files_whose_names_look_like_patterns_are_not_compared_with_every_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand of a folder "[2024] trip" would have been compared ten thousand million times."""
    for number, name in enumerate(("a[1].png", "a1.png")):
        picture(tmp_path / "[2024] trip" / name, grey=number)
    with Document.create(tmp_path / "p", tmp_path / "[2024] trip") as document:
        snapshot = document.snapshot()
    names = images.ImageNames(snapshot)
    monkeypatch.setattr(images, "fnmatchcase", lambda *_: pytest.fail("it is a file"))
    assert [names.rows(str(file)) for file in snapshot.files] == [[0], [1]]
    assert [snapshot.images[row].path for row in names.rows("a[1].png")] == ["a[1].png"]


def test_images_are_marked_put_into_a_split_and_removed_as_one_step_each(project: Path, capsys: Capture) -> None:
    before = states(project)
    did(capsys, "images", project, "--state", "in work", "--mark", "done", "--put", "val")
    done = (State.DONE, Split.VALIDATION)
    assert states(project) == {**before, "day 1/a.png": done, "day 1/b.png": done}
    assert did(capsys, "images", project, "day 1/*", "--mark", "done")["changed"] == 0, "and there is nothing to undo"
    assert did(capsys, "undo", project) == {"undone": ["Change 2 images"]}
    assert states(project) == before
    assert did(capsys, "undo", project, "--redo") == {"redone": ["Change 2 images"]}
    assert did(capsys, "images", project, "day 1/*", "--remove")["changed"] == 2
    assert (list(states(project)), labels(project)["dog"]) == (["day 2/a.png", "day 2/c.png"], 0)
    assert (project.parent / "photographs" / "day 1" / "a.png").is_file()
    did(capsys, "undo", project, "--steps", "2")
    assert (states(project), labels(project)["dog"]) == (before, 2)


@pytest.mark.parametrize(
    ("asked", "code", "sentence"),
    [
        (["--remove"], console.MISUSED, "Say which images: by name, or by --state"),
        (["--mark", "done"], console.MISUSED, "Say which images"),
        (["*", "--remove", "--mark", "done"], console.MISUSED, "Leave out --remove, or the others"),
        (["*", "--mark", "finished"], console.MISUSED, "--mark must be one of unlabelled, in work, done, verified"),
        (["*", "--put", "training"], console.MISUSED, "--put must be one of none, train, validation, test"),
        (["a.png", "--mark", "done"], console.FAILED, "'a.png' is the end of 2 paths: day 1/a.png, day 2/a.png."),
        (["c.png", "d.png", "--mark", "done"], console.FAILED, "There is no image called 'd.png' in this project."),
        (["day 3/*", "--mark", "done"], console.FAILED, "There is no image called 'day 3/*'"),
        (["--label", "cow", "--mark", "done"], console.FAILED, "There is no label called 'cow' in this project."),
    ],
)
def test_of_images_that_are_not_clear_none_is_changed(
    project: Path, asked: list[str], code: int, sentence: str, capsys: Capture
) -> None:
    before = states(project)
    assert main(["images", str(project), *asked]) == code
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert states(project) == before


def test_the_newest_changes_are_listed_and_with_none_left_it_is_said(tmp_path: Path, capsys: Capture) -> None:
    Document.create(tmp_path / "p").close()
    for option, sentence in (("--steps=1", "There is nothing to undo."), ("--redo", "There is nothing to redo.")):
        assert main(["undo", str(tmp_path / "p"), option]) == console.FAILED
        assert sentence in capsys.readouterr().err
    for name in ("cat", "dog"):
        did(capsys, "labels", tmp_path / "p", "--add", name)
    did(capsys, "undo", tmp_path / "p")
    listed = did(capsys, "undo", tmp_path / "p", "--list")["changes"]
    assert [(one["change"], one["undone"]) for one in listed] == [("Add label 'dog'", True), ("Add label 'cat'", False)]
    assert main(["undo", str(tmp_path / "p"), "--list"]) == console.DONE
    _, newest, oldest = capsys.readouterr().out.splitlines()
    assert newest.startswith("Add label 'dog'")
    assert newest.rstrip().endswith("undone")
    assert oldest.startswith("Add label 'cat'")


def test_an_image_of_two_folders_with_the_same_path_is_named_by_its_file(project: Path, capsys: Capture) -> None:
    more = project.parent / "more"
    picture(more / "day 2" / "c.png", grey=99)
    assert main(["add-images", str(project), str(more)]) == console.DONE
    capsys.readouterr()
    assert main(["images", str(project), "day 2/c.png", "--mark", "done"]) == console.FAILED
    assert "is the end of 2 paths" in " ".join(capsys.readouterr().err.split())
    marked = did(capsys, "images", project, str(more / "day 2" / "c.png"), "--mark", "done")
    assert marked["changed"] == 1
    assert did(capsys, "images", project, "--state", "done")["images"][0]["file"] == str(more / "day 2" / "c.png")
