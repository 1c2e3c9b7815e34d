"""Opens the window "What the trainer sees" from any page, with the recipe currently set on the Train page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDialog, QPushButton, QWidget

from workbench.ui.session import Session

if TYPE_CHECKING:  # the pages exist before what the Train page needs is imported
    from workbench.ui.train.form.setup_panel import SetupPanel
    from workbench.ui.train.trainer_view.requests import TrainingPlan
    from workbench.ui.train.trainer_view.window import TrainerViewWindow


def open_trainer_view(session: Session, page: QWidget, _checked: bool = False, *, trained: bool = False) -> None:
    """Only one window; an open one takes the recipe and its detector. `trained`: show an image that is trained on."""
    from workbench.ui.train.trainer_view.window import TrainerViewWindow

    if session.document is None or not session.document.images():
        session.inform("There is no image to look at. Open a project, or add images on the Data page.")
        return
    top = page.window()
    window = _existing_window(top) or TrainerViewWindow(session, top, lambda: _current_plan(top))
    window.wants_trained = trained
    window.go_through_all()
    window.show()
    window.adopt_settings()
    window.raise_()
    window.activateWindow()


def _existing_window(top: QWidget) -> TrainerViewWindow | None:
    """Found by name, so that its module is not loaded before it is needed."""
    windows = [one for one in top.findChildren(QDialog, "seen-window") if not one.ended]  # type: ignore[attr-defined]
    return windows[0] if windows else None  # type: ignore[return-value]


def _current_plan(top: QWidget) -> TrainingPlan | None:
    """None while the Train page has not been shown. WorkbenchError: a value in its form is not valid."""
    from workbench.ui.train.form.setup_panel import SetupPanel
    from workbench.ui.train.trainer_view.requests import TrainingPlan

    setup = top.findChild(SetupPanel)
    recipe = setup.recipe() if isinstance(setup, SetupPanel) else None
    return TrainingPlan(recipe, setup.start_from.file) if recipe is not None and isinstance(setup, SetupPanel) else None


class TrainerViewButton(QPushButton):
    """Adds itself beside the other checks before a training; the window follows the settings below it."""

    def __init__(self, session: Session, setup: SetupPanel) -> None:
        super().__init__("What the trainer sees…", setup)
        self.setObjectName("train-seen")
        self.setToolTip("Images as they enter the network, and which cells, anchors or points learn which box")
        self.clicked.connect(lambda: open_trainer_view(session, setup, trained=True))
        setup.check_buttons.addWidget(self, 1)
        setup.changed.connect(self._follow)
        setup.start_from.currentIndexChanged.connect(self._follow)

    @Slot()
    def _follow(self) -> None:
        window = _existing_window(self.window())
        if window is not None:
            window.adopt_settings(again=False)
