"""Requests looks: decides which look each pane needs now, without delay or excess; in between, has the files read.

Runs in the window's thread. A pane is dimmed as soon as it no longer shows what is requested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.errors import WorkbenchError
from workbench.training.recipes import Recipe
from workbench.ui.background import Background
from workbench.ui.session import Session
from workbench.ui.train.seen.controls import Controls
from workbench.ui.train.seen.eyes import Eyes
from workbench.ui.train.seen.pane import Pane
from workbench.ui.train.seen.wishes import Check, Checked, GivenUp, Prepared, Rest, Start, Wish

_AFTER = 60
"""Milliseconds after the last change until a look is requested: a spin box held down asks only once."""


class Asking(QObject):
    """`loaded(Members, or WorkbenchError)`, then `looked(pane's number, Look or WorkbenchError)`, `checked(Checked)`.

    `prepared` is what the looks are made with, or `problem` why none can be. Nothing happens between `rest` and `wake`.
    """

    loaded = Signal(object)
    looked = Signal(int, object)
    checked = Signal(object)

    def __init__(
        self, session: Session, controls: Controls, panes: Sequence[Pane], eyes: Eyes, parent: QObject
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._session, self._controls, self._panes = session, controls, panes
        self.prepared: Prepared | None = None
        self.problem = ""
        self._awake = False
        self._version = 0
        self._pending: dict[Wish, list[int]] = {}  # what was requested, and by which panes
        self._check: Check | None = None  # the files being checked, or checked last
        self._checked = Checked(0, 0)
        self._eyes = eyes
        self._background = Background("Looking as the trainer does", eyes.do, self)
        self._background.done.connect(self._done)
        self._later = QTimer(self, singleShot=True, interval=_AFTER)
        self._later.timeout.connect(self.ask)

    # --- what is wanted ---

    def recipe_of(self, number: int) -> tuple[Recipe, str]:
        """A pane's recipe, and the title of the detector whose training it uses, if that is another one's.

        Both panes use the training of the first, so that they can be compared. WorkbenchError: there is none.
        """
        if self.prepared is None:
            raise WorkbenchError(self.problem or "There is no recipe.")
        first = self.prepared.recipe.with_detector(self._panes[0].detector_name)
        if not number:
            return first, ""
        own = self.prepared.recipe.with_detector(self._panes[number].detector_name)
        if own.training == first.training:
            return own, ""
        return replace(own, training=first.training), self._panes[0].detector.currentText()

    def _wish(self, number: int) -> Wish:
        """WorkbenchError says why there is none."""
        document, controls = self._session.document, self._controls
        if document is None or not self._session.image_id:
            raise WorkbenchError("There is no image to look at. Add some on the Data page.")
        recipe, borrowed = self.recipe_of(number)
        return Wish(
            document.folder, self._version, recipe, self._session.image_id, self._panes[number].weights_wanted,
            controls.wants_augmented, controls.epoch.value() - 1, controls.seed_wanted, self._checked.otherwise,
            borrowed,
        )  # fmt: skip

    def _wishes(self) -> dict[int, Wish | WorkbenchError]:
        """Of the visible panes."""
        found: dict[int, Wish | WorkbenchError] = {}
        for number in range(1 + self._controls.beside.isChecked()):
            try:
                found[number] = self._wish(number)
            except WorkbenchError as error:
                found[number] = error
        return found

    # --- asking ---

    def load(self, runs_folder: Path) -> None:
        self._background.ask([Start(runs_folder)])

    def forget(self) -> None:
        """The project was edited: what was read from it is outdated."""
        self._version += 1

    @Slot()
    def look_later(self) -> None:
        if not self._awake:
            return
        for number, wish in self._wishes().items():
            pane = self._panes[number]
            (pane.settle if wish == pane.shown else pane.wait)()
        self._later.start()

    @Slot()
    def ask(self) -> None:
        if not self._awake:
            return
        self._pending = {}
        for number, wish in self._wishes().items():
            pane = self._panes[number]
            if isinstance(wish, WorkbenchError):
                pane.shown = None
                self.looked.emit(number, wish)
            elif wish == pane.shown:
                pane.settle()
            else:
                self._pending.setdefault(wish, []).append(number)
                pane.wait()
        self._go_on()

    def _go_on(self) -> None:
        """Work on the pending requests, or on the files if there are none."""
        self._eyes.only(set(self._pending))
        begun = self._eyes.current
        looks = [wish for wish in self._pending if wish != begun]
        self._background.ask(looks if self._pending else self._files())

    def _files(self) -> list[Check]:
        document = self._session.document
        try:
            wanted = None if document is None else Check(document.folder, self._version, self.recipe_of(0)[0])
        except WorkbenchError:  # the pane shows it
            return []
        if wanted is None or (wanted == self._check and self._checked.done == self._checked.total):
            return []
        self._check = wanted
        return [wanted]

    @Slot(object, object)
    def _done(self, wish: object, result: object) -> None:
        if isinstance(wish, Start) and not isinstance(result, GivenUp):
            self.loaded.emit(result)
        if not self._awake:
            return
        if isinstance(wish, Check) and wish == self._check and isinstance(result, Checked):
            before, self._checked = self._checked, result
            self.checked.emit(result)
            if before.otherwise != result.otherwise:  # image files turned out to be different
                self.look_later()
        elif isinstance(wish, Wish) and not isinstance(result, GivenUp):
            for number in self._pending.pop(wish, []):
                self._panes[number].shown = wish
                self.looked.emit(number, result)
        if not self._later.isActive():
            self._go_on()

    # --- coming and going ---

    def wake(self) -> None:
        """The window is visible."""
        self._awake = True

    def rest(self) -> None:
        """The window is hidden: free what is kept for looks; everything is requested again after `wake`."""
        self._awake = False
        self._later.stop()
        self._pending, self._check = {}, None
        for pane in self._panes:
            pane.shown = None
        self._eyes.only(())
        self._background.ask([Rest()])

    def leave(self) -> None:
        """For good: returns once the thread has ended, which is soon."""
        self._awake = False
        self._later.stop()
        self._eyes.leave()
        self._background.close()

    @property
    def is_idle(self) -> bool:
        return self._background.is_idle() and not self._later.isActive()
