"""What Ctrl+K finds: commands of the whole program, settings of a training, labels, recent projects, and images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from workbench import settings
from workbench.core.files import resource
from workbench.training.settings import TrainingSettings
from workbench.ui import keys
from workbench.ui.actions import key_text
from workbench.ui.commands import COMMANDS, PAGES
from workbench.ui.project import recent
from workbench.ui.session import Session
from workbench.ui.window.finder import HELP, IMAGE, LABEL, PROJECT, SETTING, Finder, FinderEntry

SEARCHED = 1000
"""Of this many images, the finder puts those first that begin with what was typed."""
_HELP = "action-help-"
_RUNNING = ("action-pause-job", "action-stop-job")
"""Only enabled while something runs, which is then what "stop" and "pause" refer to."""
_ELSEWHERE = ("seen-", "looking-", "review-")
"""Commands of windows and panes that are created on demand: before that they have no action."""


@dataclass(frozen=True, slots=True)
class FinderActions:
    """What choosing an entry does: an action; a command of a page not shown yet; an image's id; a project's folder;
    the field name of a setting of a training."""

    run: Callable[[QAction], object]
    run_there: Callable[[str, str], object]
    show_image: Callable[[int], object]
    open_project: Callable[[Path], object]
    show_setting: Callable[[str], object]


def open_finder(window: QWidget, session: Session, created: Iterable[str], finder_actions: FinderActions) -> None:
    """Over `window`; `created` are the names of the pages that have been created."""
    entries = [*commands(window.findChildren(QAction), finder_actions.run)]
    if session.document is not None:
        entries += commands_of_uncreated_pages(created, finder_actions.run_there)
        entries += training_settings(finder_actions.show_setting)
    entries += [*labels(session), *projects(session, finder_actions.open_project)]
    Finder(entries, lambda words: images(session, words, finder_actions.show_image), window).open()


def commands(actions: Iterable[QAction], run: Callable[[QAction], object]) -> Iterator[FinderEntry]:
    """The enabled ones: first those that stop what runs, the help pages last, which are found by their texts too."""
    by_use = sorted(actions, key=lambda action: action.objectName() not in _RUNNING)
    for action in sorted(by_use, key=lambda action: action.objectName().startswith(_HELP)):
        name = action.objectName()
        if name.startswith("action-") and name != "action-find" and action.isEnabled():
            key = action.shortcut().toString(action.shortcut().SequenceFormat.NativeText)
            words = action.text().replace("&&", "&")  # doubled for the menu, where one marks a mnemonic
            page = name.removeprefix(_HELP) if name.startswith(_HELP) else ""
            yield FinderEntry(words, HELP if page else key, partial(run, action), _help_text(page))


@lru_cache
def _help_text(page: str) -> str:
    """Of the help page of this name, "" for none; of one that can't be read, too: it is then found by its title."""
    try:
        return resource("help", f"{page}.md").read_text("utf-8") if page else ""
    except OSError:
        return ""


def commands_of_uncreated_pages(created: Iterable[str], run: Callable[[str, str], object]) -> Iterator[FinderEntry]:
    """Those of pages not created yet; `run(page, command)` shows the page and runs it."""
    pages = set(PAGES) - set(created)
    for command in COMMANDS:
        page = command.where.lower()
        if page in pages and not command.by_hand and not command.name.startswith(_ELSEWHERE):
            own = keys.of(command.name)
            yield FinderEntry(command.text, key_text(own[0]) if own else "", partial(run, page, command.name))


def training_settings(show: Callable[[str], object]) -> Iterator[FinderEntry]:
    """Those of the Train page's form, found by their explanation too; `show(name)` shows a setting there."""
    for row in settings.rows(TrainingSettings):
        yield FinderEntry(row.title, SETTING, partial(show, row.name), row.help)


def labels(session: Session) -> Iterator[FinderEntry]:
    document = session.document
    for label in document.labels() if document is not None else ():
        yield FinderEntry(label.name, LABEL, partial(session.select_label, label.id))


def projects(session: Session, open_it: Callable[[Path], object]) -> Iterator[FinderEntry]:
    """The recent ones, except the one that is open."""
    here = session.document.folder if session.document is not None else None
    for one in recent.projects():
        if one.folder != here:
            yield FinderEntry(f"Open {one.name}", PROJECT, partial(open_it, one.folder))


def images(session: Session, words: Sequence[str], show: Callable[[int], object]) -> list[FinderEntry]:
    """The first images whose path contains all words."""
    document = session.document
    if document is None:
        return []
    import numpy as np  # not before a project is opened: painting the window comes first

    all_of_them = document.images()
    fits = np.ones(len(all_of_them), bool)
    for word in words:
        fits &= all_of_them.saying(word, notes=False)
    found = (all_of_them[int(row)] for row in np.flatnonzero(fits)[:SEARCHED])
    return [FinderEntry(image.path, IMAGE, partial(show, image.id)) for image in found]
