"""A damaged project is told, left as it is, never shown as empty, and comes back from its backup and from its text.

SQLite has no sums of what its pages hold: a bit that flips inside a number or a word makes another number or word for
it, and for us. Those are counted apart; of such a project all is shown, and nothing but that value is wrong.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.promises import edited_projects
from tests.promises.form import times
from workbench.core import store
from workbench.core.document import Document
from workbench.core.storage import backups, mirror
from workbench.core.store import FILE
from workbench.errors import Damaged, WorkbenchError

PAGE = 4096
_HTML = b"<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>\n"


def _flipped(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 4, 64))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(1, len(data)) :]


def _zeroed(data: bytearray, chance: random.Random) -> None:
    at = PAGE * chance.randrange(len(data) // PAGE)
    data[at : at + PAGE] = bytes(PAGE)


def _swapped(data: bytearray, chance: random.Random) -> None:
    a, b = (PAGE * page for page in chance.sample(range(len(data) // PAGE), 2))
    data[a : a + PAGE], data[b : b + PAGE] = data[b : b + PAGE], data[a : a + PAGE]


def _header(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(96)
    data[at : at + 4] = chance.randbytes(4)


def _emptied(data: bytearray, _: random.Random) -> None:
    data.clear()


def _replaced(data: bytearray, _: random.Random) -> None:
    data[:] = _HTML


VALUE = "a value is another"
DAMAGES = (_flipped, _cut, _zeroed, _swapped, _header, _emptied, _replaced)
Opener = Callable[[Path], Document]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project with boxes, a backup and its text; and what it holds."""
    folder = edited_projects.make(tmp_path_factory.mktemp("damaged") / "p")
    chance = random.Random(3)
    with Document.open(folder) as document:
        for _ in range(40):
            edited_projects.act(document, chance)
        assert sum(document.box_counts().values()) > edited_projects.MANY
        held = edited_projects.contents(document)
    backups.back_up(folder)
    mirror.write(folder)
    return folder, held


def verdict(folder: Path, held: str, opener: Opener) -> str:
    """Of an opening: "told", "all is there", "a value is another", or what must not be."""
    before = (folder / FILE).read_bytes()
    try:
        with opener(folder) as document:
            try:
                found = edited_projects.contents(document)
            except Damaged:
                return VALUE  # a word that is none: whoever reads it is told
            if found != held and many_of(document) == many_of(mirror.read_info(folder)):
                return VALUE
    except Damaged as damage:
        if (folder / FILE).read_bytes() != before:
            return "changed by the opening"
        good = "Its copy of" in damage.sentence and "is intact" in damage.sentence and "Its text of" in damage.sentence
        return "told" if good else f"told without a way back: {damage.sentence}"
    except WorkbenchError as error:
        return f"another sentence: {error.sentence}"
    return "all is there" if found == held else "shown, and not what it was"


def many_of(what: Document | mirror.MirrorInfo) -> tuple[int, int]:
    """How many images and boxes."""
    if isinstance(what, Document):
        return len(what.images()), sum(what.box_counts().values())
    return what.images, what.boxes


def brought_back(folder: Path, held: str, chance: random.Random) -> bool:
    """From the copy or from the text, by chance."""
    way = chance.choice([backups.newest_good, backups.text_of])(folder)
    assert way is not None
    backups.restore(folder, way)
    with Document.open(folder) as document:
        return edited_projects.contents(document) == held


def after_damages(project: tuple[Path, str], to: Path, count: int, opener: Opener) -> Counter[str]:
    folder, held = project
    found: Counter[str] = Counter()
    for number in range(count):
        chance = random.Random(number)
        here = to / f"{number}"
        shutil.copytree(folder, here)
        data = bytearray((here / FILE).read_bytes())
        DAMAGES[number % len(DAMAGES)](data, chance)
        (here / FILE).write_bytes(data)
        said = verdict(here, held, opener)
        if said == VALUE and DAMAGES[number % len(DAMAGES)] is not _flipped:
            said = "shown, and not what it was"
        found[said] += 1
        if said.startswith("told"):
            found["brought back"] += brought_back(here, held, chance)
        shutil.rmtree(here)
    return found


def test_a_damaged_project_is_told_left_alone_and_brought_back(project: tuple[Path, str], tmp_path: Path) -> None:
    count = times(35, 210)
    found = after_damages(project, tmp_path, count, Document.open)
    print(f"\n{count} damages: {dict(found)}")
    assert set(found) <= {"told", "all is there", "brought back", VALUE}
    assert found["told"] == found["brought back"] > count // 2


def test_the_same_damages_tell_of_a_program_that_begins_anew(project: tuple[Path, str], tmp_path: Path) -> None:
    """The control: it makes a new file where it can't read the old one, as a first start would."""

    def opener(folder: Path) -> Document:
        try:
            return Document.open(folder)
        except WorkbenchError:
            (folder / FILE).unlink()
            store.Store.create(folder / FILE).close()  # Document.create refuses: the text and copies are there
            return Document.open(folder)

    found = after_damages(project, tmp_path, 14, opener)
    assert found["shown, and not what it was"] > 0
    assert found["told"] == 0


def test_the_same_damages_tell_of_a_program_that_does_not_look_at_every_page(
    project: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the look at the beginning: the same damages are told less often."""
    looked = after_damages(project, tmp_path, 35, Document.open)
    monkeypatch.setattr(store.Store, "check", lambda self: None)
    blind = after_damages(project, tmp_path, 35, Document.open)
    assert blind["told"] < looked["told"]
