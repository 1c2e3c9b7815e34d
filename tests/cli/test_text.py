"""What git brought into a project's text is told by every command that would write it, and taken over by `text`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.ui.window_driver import write_photographs
from workbench.cli import main
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import State
from workbench.core.storage import mirror


@pytest.fixture
def pulled(tmp_path: Path) -> Path:
    """A project into whose text a colleague's labels have come: the first image is done."""
    write_photographs(tmp_path / "photographs", ["a.png", "b.png"])
    folder, other = tmp_path / "my cells", tmp_path / "other"
    assert main(["new", str(folder), "--images", str(tmp_path / "photographs")]) == 0
    shutil.copytree(folder, other)
    with Document.open(other) as document:
        document.do(edits.SetState((1,), State.DONE))
        mirror.write(other)
    shutil.rmtree(folder / "labels")
    shutil.copytree(other / "labels", folder / "labels")
    return folder


def states(folder: Path) -> list[State]:
    with Document.open(folder, read_only=True) as document:
        return [image.state for image in document.images()]


def test_a_command_that_would_write_the_text_says_so_and_it_can_be_taken_over(
    pulled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["images", str(pulled), "b.png", "--mark", "verified"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "changed by git or another program: 1 image is different there. It was left as it is." in told
    assert f"workbench text '{pulled}'" in told
    assert '"done"' in (pulled / "labels" / "000.jsonl").read_text()
    assert main(["text", str(pulled)]) == 0
    shown = " ".join(capsys.readouterr().err.split())
    assert "a.png" in shown
    assert "--take-over" in shown
    assert main(["text", str(pulled), "--take-over", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"taken": 1, "left": 0, "copy": ""}
    assert states(pulled) == [State.DONE, State.VERIFIED]
    assert '"verified"' in (pulled / "labels" / "000.jsonl").read_text()
    assert main(["undo", str(pulled)]) == 0
    assert states(pulled) == [State.UNLABELLED, State.VERIFIED]


def test_a_project_rebuilt_from_its_text_knows_it_from_the_first_edit_on(
    pulled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a clone: its own edit was taken for a change of the text."""
    clone = pulled.with_name("clone")
    shutil.copytree(pulled / "labels", clone / "labels")
    assert main(["restore", str(clone), "--text"]) == 0
    capsys.readouterr()
    assert main(["images", str(clone), "b.png", "--mark", "verified"]) == 0
    assert "changed by git" not in capsys.readouterr().err
    assert '"verified"' in (clone / "labels" / "000.jsonl").read_text()


def test_one_may_keep_the_project_as_it_is(pulled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", str(pulled), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["changed"], told["images"][0]["path"], told["images"][0]["both"]) == (1, "a.png", False)
    assert main(["text", str(pulled), "--keep-own", "--take-over"]) == 2
    assert main(["text", str(pulled), "--keep-own"]) == 0
    (aside,) = pulled.glob("labels.replaced *")
    assert '"done"' in (aside / "000.jsonl").read_text()
    assert '"done"' not in (pulled / "labels" / "000.jsonl").read_text()
    capsys.readouterr()
    assert main(["text", str(pulled), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"changed": 0}


def test_what_cannot_be_read_is_not_offered_to_be_taken_over(pulled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = pulled / "labels" / "000.jsonl"
    file.write_text(f"<<<<<<< HEAD\n{file.read_text()}")
    assert main(["text", str(pulled)]) == 0
    shown = " ".join(capsys.readouterr().err.split())
    assert "remove git's marks. Mend that, or keep the project as it is: workbench text" in shown
    assert "--take-over" not in shown
    assert main(["text", str(pulled), "--take-over"]) == 1
