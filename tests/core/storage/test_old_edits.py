"""A copy of a project holds its newest edits only; undo and redo of these work in one that was gone back to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.window_driver import write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.core.storage import backups, history, old_edits

EDITS = 300


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    """Of which a copy keeps some fifty of three hundred edits."""
    write_photographs(tmp_path / "photographs", ["a.png"])
    with Document.create(tmp_path / "project", tmp_path / "photographs") as made:
        made.do(edits.AddLabels((Label(0, "cat"),)))
        for number in range(EDITS):
            made.draw((Box(0, 1, 1, (0, 0, 5 + number, 5), note="x" * 1000),))
        yield made


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_edits, "KEPT", 60_000)


def steps(document: Document) -> list[int]:
    return [entry.seq for entry in history.of_project(document)]


def test_a_copy_has_the_newest_edits_and_the_project_all(document: Document) -> None:
    """The history of years was in each of seventeen copies: 60 MB of each after 200,000 edits."""
    for _ in range(3):
        document.undo()
    before, boxes = steps(document), document.boxes(1)
    copy = backups.back_up(document.folder)
    assert steps(document) == before
    assert copy.file.stat().st_size < document.store.file.stat().st_size * 0.7
    assert backups.contents_of(copy.file).last_edit == "Add box"
    document.close()
    backups.restore(document.folder, copy)
    with Document.open(document.folder) as back:
        kept = steps(back)
        assert kept == before[: len(kept)]
        assert 40 < len(kept) < 60
        assert back.boxes(1) == boxes
        assert [entry.title for entry in history.of_image(back, 1)][-1] == "Before that"
        while back.redo():
            pass
        assert len(back.boxes(1)) == EDITS
        while back.undo():
            pass
        assert len(back.boxes(1)) == EDITS - len(kept)
        back.draw((Box(0, 1, 1, (0, 0, 1, 1)),))
        assert steps(back) == [before[0] + 1], "no number is given again"


def test_steps_that_can_be_redone_are_kept_however_long_they_are(document: Document) -> None:
    for _ in range(EDITS - 10):
        document.undo()
    copy = backups.back_up(document.folder)
    document.close()
    backups.restore(document.folder, copy)
    with Document.open(document.folder) as back:
        assert len(back.boxes(1)) == 10
        while back.redo():
            pass
        assert len(back.boxes(1)) == EDITS


def test_an_import_whose_step_is_left_out_is_still_one_that_was_made(document: Document) -> None:
    """Else its files would seem to have been undone, and be removed by the next import."""
    newest, *_, oldest = steps(document)
    with document.store.transaction() as connection:
        connection.executemany(
            "INSERT INTO origin (format, archive, labels, step) VALUES ('voc', '', '[]', ?)",
            [(oldest,), (newest,), (9999,)],
        )
    copy = backups.back_up(document.folder)
    document.close()
    backups.restore(document.folder, copy)
    with Document.open(document.folder) as back:
        assert [row[0] for row in back.store.rows("SELECT step FROM origin ORDER BY id")] == [0, newest, 9999]
