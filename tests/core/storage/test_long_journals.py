"""After years of edits the next one takes no longer: nothing that it needs is searched from the journal's beginning."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image as Picture

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.labelling_progress import labelling_progress
from workbench.core.project import Box, Label, State
from workbench.core.storage import history, journal, journal_index, mirror

LONG = 20_000
"""Edits before; to look at each takes SQLite several times as many instructions."""
FEW = 5_000
"""Instructions."""


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    (tmp_path / "photographs").mkdir()
    for name in "abcdefghij":
        Picture.new("RGB", (200, 100)).save(tmp_path / "photographs" / f"{name}.png")
    with Document.create(tmp_path / "project", tmp_path / "photographs") as made:
        made.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        with made.store.transaction() as connection:
            connection.execute(
                "INSERT INTO journal (time, title, edit, inverse, undone)"
                " WITH RECURSIVE nth(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM nth LIMIT ?)"
                " SELECT n, 'Mark image done', ?, ?, 0 FROM nth",
                (LONG, *(journal.to_json(edits.SetState((10,), state)) for state in (State.DONE, State.VERIFIED))),
            )
            connection.execute("INSERT INTO touched SELECT 10, seq FROM journal WHERE title = 'Mark image done'")
        made.images(), made.counts()
        yield made


def instructions(document: Document, act: Callable[[], object]) -> int:
    """How many of SQLite's own instructions `act` takes, to a hundred."""
    seen: list[None] = []
    document.store.connection.set_progress_handler(lambda: seen.append(None), 100)
    try:
        act()
    finally:
        document.store.connection.set_progress_handler(None, 100)
    return 100 * len(seen)


def renewed_undo(document: Document) -> tuple[str, str]:
    """As the window asks after each edit."""
    return document.undo_title, document.redo_title


def test_an_edit_and_what_follows_it_do_not_read_the_whole_journal(document: Document) -> None:
    mirror.write(document.folder)
    since = time.time()
    for act in (
        lambda: document.draw((Box(0, 1, 1, (0, 0, 9, 9)),)),
        lambda: renewed_undo(document),
        document.undo,
        document.redo,
        lambda: labelling_progress(document, since),
        lambda: document.store.read(lambda connection: mirror.is_current(document.folder, connection)),
    ):
        assert instructions(document, act) < FEW
    assert instructions(document, lambda: document.store.rows("SELECT 1 FROM journal WHERE undone = 1")) > FEW


def test_what_is_undone_is_found_and_dropped_at_the_end_of_a_long_journal(document: Document) -> None:
    for x in (0, 20, 40):
        document.draw((Box(0, 1, 1, (x, 0, x + 9, 9)),))
    mirror.write(document.folder)
    for _ in range(2):
        document.undo()
    assert renewed_undo(document) == ("Add box", "Add box")
    assert not document.store.read(lambda connection: mirror.is_current(document.folder, connection))
    for _ in range(2):
        document.redo()
    assert document.store.read(lambda connection: mirror.is_current(document.folder, connection))
    document.undo()
    document.do(edits.SetState((2,), State.DONE))
    assert renewed_undo(document) == ("Mark image done", "")
    assert [box.xyxy[0] for box in document.boxes(1)] == [0, 20]
    assert not document.store.read(lambda connection: mirror.is_current(document.folder, connection))


def test_the_history_of_an_image_reads_no_edits_of_others(document: Document) -> None:
    document.draw((Box(0, 1, 1, (0, 0, 9, 9)),))
    titles = list[str]()
    assert instructions(document, lambda: titles.extend(entry.title for entry in history.of_image(document, 1))) < FEW
    assert titles == ["Add box", "Before that"]


def test_the_history_of_an_image_parses_few_edits_of_many_images(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nearly every such edit has the digits of a small id somewhere, in a coordinate or in another id."""
    with document.store.transaction() as connection:
        connection.execute("UPDATE touched SET image = ?", (journal_index.ANY_IMAGE,))
    document.draw((Box(0, 1, 1, (0, 0, 9, 9)),))
    parsed = list[str]()
    real = journal.from_json
    monkeypatch.setattr(journal, "from_json", lambda text: (parsed.append(text), real(text))[1])
    assert [entry.title for entry in history.of_image(document, 1)] == ["Add box", "Before that"]
    assert len(parsed) < 20
