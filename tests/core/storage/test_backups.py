"""The last ten hours and seven days of a project can be gone back to; nothing half copied replaces a whole copy."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.core.storage.test_journal_index import make_older
from tests.ui.window_driver import write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.core.storage import backups, mirror
from workbench.core.storage.backups import CopyContents
from workbench.core.storage.lock import Lock
from workbench.core.store import FILE, Store
from workbench.errors import Damaged, WorkbenchError

HOUR = datetime(2026, 11, 26, 12)
NOON = HOUR + timedelta(minutes=30, seconds=17, microseconds=250)


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    write_photographs(tmp_path / "photographs", ["a.png"])
    with Document.create(tmp_path / "a project ü", tmp_path / "photographs") as made:
        made.do(edits.AddLabels((Label(0, "cat"),)))
        yield made


def draw(document: Document, count: int = 1) -> None:
    document.draw(tuple(Box(0, 1, 1, (0, 0, 5, 5), note="x" * 50) for _ in range(count)))


def damage(file: Path, where: int) -> bytes:
    data = bytearray(file.read_bytes())
    data[where : where + 2000] = b"\xff" * 2000
    file.write_bytes(data)
    return bytes(data)


def boxes_in(folder: Path) -> int:
    with Document.open(folder, read_only=True) as document:
        return len(document.boxes(1))


def test_the_last_ten_hours_and_the_last_of_each_of_seven_days_are_kept(document: Document) -> None:
    for hour in range(24 * 9):
        backups.back_up(document.folder, NOON + timedelta(hours=hour))
    last = HOUR + timedelta(hours=24 * 9 - 1)
    kept = [backup.hour for backup in backups.backups(document.folder, last)]
    assert kept[:10] == [last - timedelta(hours=hours) for hours in range(10)]
    ends = [last.replace(hour=23) - timedelta(days=days) for days in range(1, 7)]
    assert kept[10:] == [end for end in ends if end not in kept[:10]]
    assert len({hour.date() for hour in kept}) == 7


def test_a_backup_is_due_once_in_an_hour_in_which_something_was_changed(document: Document) -> None:
    folder = document.folder
    assert backups.is_due(folder, NOON)
    made = backups.back_up(folder, NOON)
    assert made.hour == HOUR
    assert not backups.is_due(folder, NOON + timedelta(minutes=90)), "nothing was changed"
    draw(document)
    os.utime(folder / FILE, ns=(time.time_ns(), made.file.stat().st_mtime_ns + 10**9))
    assert not backups.is_due(folder, NOON + timedelta(minutes=20)), "the hour has its backup"
    assert backups.is_due(folder, NOON + timedelta(minutes=31))


def test_an_edit_made_while_a_backup_was_written_is_in_the_next_one(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without another edit it was in none: the copy was newer than the project's file."""
    folder, real = document.folder, Store.backup

    def slow(store: Store, file: Path) -> None:
        real(store, file)
        time.sleep(0.05)
        draw(document)
        time.sleep(0.05)
        os.utime(file)  # it is written last

    with monkeypatch.context() as disk:
        disk.setattr(Store, "backup", slow)
        backups.back_up(folder, NOON)
    later = NOON + timedelta(hours=1)
    assert backups.is_due(folder, later)
    backups.back_up(folder, later)
    assert not backups.is_due(folder, later + timedelta(hours=1))


@pytest.mark.parametrize("ahead", [timedelta(hours=16), timedelta(days=400)])
def test_a_clock_that_was_ahead_or_goes_west_neither_ends_backups_nor_makes_old_ones_the_newest(
    document: Document, ahead: timedelta
) -> None:
    folder = document.folder
    for hour in range(12):
        made = backups.back_up(folder, NOON + ahead + timedelta(hours=hour))
        if ahead.days:  # the whole clock was ahead; a traveller's is right but for its hour
            os.utime(made.file, (time.time() + ahead.total_seconds(),) * 2)
    draw(document)
    assert backups.is_due(folder, NOON)
    newest = backups.back_up(folder, NOON)
    assert backups.backups(folder, NOON)[0].hour == newest.hour
    assert not backups.is_due(folder, NOON + timedelta(minutes=20)), "not again and again"
    for hour in range(1, 10):
        backups.back_up(folder, NOON + timedelta(hours=hour))
    kept = [backup.hour for backup in backups.backups(folder, NOON + timedelta(hours=9))]
    assert kept[:10] == [HOUR + timedelta(hours=hour) for hour in range(9, -1, -1)]
    assert len(kept) <= 10 + 2, "those of the future go first"


def test_other_files_among_the_backups_are_none_and_stay(document: Document) -> None:
    made = backups.back_up(document.folder, NOON)
    others = [made.file.with_name(name) for name in ("desktop.ini", "project 2026-13-40 99h.sqlite")]
    for file in others:
        file.touch()
    assert backups.back_up(document.folder, NOON + timedelta(hours=1)).hour == HOUR + timedelta(hours=1)
    assert len(backups.backups(document.folder)) == 2
    assert all(file.exists() for file in others)


def test_what_a_copy_holds_is_counted(document: Document) -> None:
    assert backups.contents_of(document.folder / FILE) == CopyContents(1, 0, 0, 1, "Add label 'cat'")
    draw(document, 2)
    draw(document)
    document.do(edits.SetState((1,), State.VERIFIED))
    document.do(edits.AddLabels((Label(0, "dog"),)))
    document.undo()
    copy = backups.back_up(document.folder, NOON).file
    assert backups.contents_of(copy) == CopyContents(1, 1, 3, 1, "Mark image verified"), "not what was undone"


def test_a_copy_without_an_edit_says_of_none(tmp_path: Path) -> None:
    with Document.create(tmp_path / "new"):
        pass
    assert backups.contents_of(tmp_path / "new" / FILE) == CopyContents(0, 0, 0, 0, "")


def test_copies_that_an_older_version_made_can_be_looked_at_and_gone_back_to(document: Document) -> None:
    """After an update, all copies are older ones."""
    copy = backups.back_up(document.folder, NOON)
    draw(document)
    document.close()
    before = make_older(copy.file)
    assert backups.contents_of(copy.file) == CopyContents(1, 0, 0, 1, "Add label 'cat'")
    assert backups.newest_good(document.folder) == copy
    assert copy.file.read_bytes() == before
    old = backups.restore(document.folder, copy)
    assert boxes_in(document.folder) == 0
    with Document.open(document.folder) as back:
        draw(back, 3)
    make_older(old)
    assert [one.file for one in backups.replaced(document.folder)] == [old]


def test_a_damaged_project_is_not_backed_up_and_its_good_copies_stay(document: Document) -> None:
    for _ in range(20):
        draw(document, 20)
    good = backups.back_up(document.folder, NOON)
    whole = good.file.read_bytes()
    document.close()
    damage(document.folder / FILE, -20_000)
    for hour in (0, 1):
        with pytest.raises(Damaged):
            backups.back_up(document.folder, NOON + timedelta(hours=hour))
    assert [backup.file for backup in backups.backups(document.folder)] == [good.file]
    assert good.file.read_bytes() == whole
    assert not list((document.folder / backups.FOLDER).glob(".*")), "nothing half made is left"


def test_a_damaged_project_says_which_copy_is_good_and_comes_back_from_it(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = document.folder
    for _ in range(20):
        draw(document, 20)
    backups.back_up(folder, NOON)
    draw(document)
    newest = backups.back_up(folder, NOON + timedelta(hours=1))
    draw(document)
    document.close()
    damage(newest.file, -20_000)
    left = damage(folder / FILE, -20_000)
    with pytest.raises(Damaged, match=r"damaged and was left as it is. Its copy of \d+ \w+ \d{4}, \d\d:\d\d is intact"):
        Document.open(folder)
    good = backups.newest_good(folder)
    assert good is not None
    assert good.hour == HOUR
    (folder / f"{FILE}-journal").write_bytes(b"what SQLite would roll back")
    old = backups.restore(folder, good)
    assert old.read_bytes() == left
    assert old.with_name(f"{old.name}-journal").exists()
    assert boxes_in(folder) == 400
    monkeypatch.setattr(
        "workbench.core.storage.backups.time.strftime", lambda format: old.stem.removeprefix("project.replaced ")
    )
    others = [backups.restore(folder, good) for _ in range(3)]
    assert len({old, *others}) == 4, "in one second"
    assert old.read_bytes() == left
    assert [one.file for one in backups.replaced(folder)] == others[::-1], "the damaged one is none"


def test_what_a_restored_copy_took_the_place_of_can_be_taken_back(document: Document) -> None:
    folder = document.folder
    draw(document, 2)
    backup = backups.back_up(folder, NOON)
    draw(document, 3)
    document.close()
    old = backups.restore(folder, backup)
    assert boxes_in(folder) == 2
    (kept,) = backups.replaced(folder)
    assert (kept.file, kept.is_replaced) == (old, True)
    assert kept.words.startswith("replaced on ")
    assert kept not in backups.backups(folder), "it is never thrown away by itself"
    earlier = old.with_name("project.replaced 2026-01-02 03.04.05.sqlite")
    earlier.write_bytes(old.read_bytes())
    assert [one.file for one in backups.replaced(folder)] == [old, earlier]
    earlier.unlink()
    backups.restore(folder, kept)
    assert boxes_in(folder) == 5
    assert len(backups.replaced(folder)) == 2
    old.with_name(f"{old.name}-journal").touch()
    assert old not in [one.file for one in backups.replaced(folder)], "not whole without its journal"


def test_what_a_killed_program_left_half_written_is_removed_by_the_next_that_writes_there(document: Document) -> None:
    """Each hidden, of copies and restored projects as large as the project, and never removed."""
    folder = document.folder
    backup = backups.back_up(folder, NOON)
    mirror.write(folder)
    left = [place / ".half.4711.0cdf0a7a.tmp" for place in (folder, folder / "backups", folder / "labels")]
    for file in left:
        file.write_text("half")
    os.utime(left[-1], (time.time() - 3600,) * 2)
    fresh = left[-1].with_name(".000.jsonl.4712.0cdf0a7a.tmp")
    fresh.write_text("another process is about to write it")
    backups.back_up(folder, NOON + timedelta(hours=1))
    mirror.write(folder)
    document.close()
    backups.restore(folder, backup)
    assert [file for file in left if file.exists()] == []
    assert fresh.exists(), "its writing would fail"


def test_the_text_is_not_taken_for_that_of_a_copy_with_as_many_edits(document: Document) -> None:
    folder = document.folder
    backup = backups.back_up(folder, NOON)
    draw(document, 3)
    mirror.write(folder)
    assert document.store.read(lambda connection: mirror.is_current(folder, connection))
    document.close()
    backups.restore(folder, backup)
    assert mirror.read_info(folder).boxes == 3, "it is still whole"
    with Document.open(folder) as again:
        draw(again, 2)
        assert not again.store.read(lambda connection: mirror.is_current(folder, connection))
        mirror.write(folder)
        assert again.store.read(lambda connection: mirror.is_current(folder, connection))
    assert mirror.read_info(folder).boxes == 2


def test_a_damaged_project_without_a_copy_comes_back_from_its_text(document: Document) -> None:
    folder = document.folder
    for _ in range(20):
        draw(document, 20)
    mirror.write(folder)
    document.close()
    left = damage(folder / FILE, -20_000)
    words = r"Its text of \d+ \w+ \d{4}, \d\d:\d\d has 1 image and 400 boxes\. Restore it in the window, or with 'work"
    with pytest.raises(Damaged, match=words):
        Document.open(folder)
    text = backups.text_of(folder)
    assert text is not None
    assert backups.restore(folder, text).read_bytes() == left
    assert boxes_in(folder) == 400


def test_a_folder_that_cannot_be_written_is_left_as_it_is(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    backup = backups.back_up(document.folder, NOON)
    document.close()
    before = (document.folder / FILE).read_bytes()
    monkeypatch.setattr(backups, "Lock", lambda folder: Lock(folder / "nowhere"))  # so its file can't be made
    with pytest.raises(WorkbenchError, match="The folder of the project .* can't be written. Change its permissions"):
        backups.restore(document.folder, backup)
    assert (document.folder / FILE).read_bytes() == before


@pytest.mark.parametrize("left", ["text", "copy"])
def test_a_project_of_which_only_the_file_is_missing_comes_back_and_no_new_one_replaces_it(
    document: Document, left: str
) -> None:
    """Deleted, or never there: git has the text alone. "Make a new one" was the advice, and that overwrote the text."""
    folder = document.folder
    draw(document, 3)
    backup = backups.back_up(folder, NOON) if left == "copy" else None
    if left == "text":
        mirror.write(folder)
    document.close()
    (folder / FILE).unlink()
    there = "Its copy of .* is intact" if backup else "Its text of .* has 1 image and 3 boxes"
    way = "restore'" if backup else "restore --text'"
    with pytest.raises(Damaged, match=rf"project\.sqlite is missing\. {there}\. Restore it .*{way}\.$"):
        Document.open(folder)
    with pytest.raises(WorkbenchError, match="a new one would replace them. Restore it"):
        Document.create(folder)
    assert not (folder / FILE).exists()
    assert backups.restore(folder, backup or backups.text_of(folder)) is None, "nothing was replaced"
    assert boxes_in(folder) == 3


def test_a_project_of_which_a_damaged_text_is_left_is_not_to_be_made_anew(document: Document) -> None:
    """Opening it advised to make a new one, which is refused."""
    mirror.write(document.folder)
    document.close()
    (document.folder / FILE).unlink()
    head = document.folder / mirror.FOLDER / mirror.HEAD
    head.write_text(head.read_text()[:-10])
    with pytest.raises(Damaged, match=r"project\.sqlite is missing\. There is no intact copy in its folder; restore"):
        Document.open(document.folder)


def test_a_damaged_project_without_a_good_copy_says_so(document: Document) -> None:
    for _ in range(20):
        draw(document, 20)
    document.close()
    damage(document.folder / FILE, -20_000)
    with pytest.raises(Damaged, match="no intact copy"):
        Document.open(document.folder)


def test_a_project_that_is_being_edited_and_a_damaged_copy_are_not_restored(document: Document) -> None:
    for _ in range(20):
        draw(document, 20)
    backup = backups.back_up(document.folder, NOON)
    with pytest.raises(WorkbenchError, match=r"in use by process \d+"):
        backups.restore(document.folder, backup)
    document.close()
    before = (document.folder / FILE).read_bytes()
    damage(backup.file, -20_000)
    with pytest.raises(Damaged):
        backups.restore(document.folder, backup)
    assert (document.folder / FILE).read_bytes() == before
    assert len(list(document.folder.glob("*.sqlite"))) == 1


def test_a_backup_made_while_boxes_are_drawn_holds_all_that_were_drawn_before(document: Document) -> None:
    drawn = 0
    ended = threading.Event()

    def edit() -> None:
        nonlocal drawn
        while not ended.is_set():
            draw(document, 50)
            drawn += 50
            time.sleep(0.02)

    thread = threading.Thread(target=edit)
    thread.start()
    try:
        for hour in range(5):
            before = drawn
            made = backups.back_up(document.folder, NOON + timedelta(hours=hour))
            after = drawn + 50
            copy = document.folder.with_name(f"copy {hour}")
            copy.mkdir()
            (copy / FILE).write_bytes(made.file.read_bytes())
            assert before <= boxes_in(copy) <= after
    finally:
        ended.set()
        thread.join()
