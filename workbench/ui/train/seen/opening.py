"""Opens the window "What the trainer sees" from any page, with the recipe as it stands on the train page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from workbench.errors import WorkbenchError
from workbench.ui.session import Session

if TYPE_CHECKING:  # the Label page is there before what the train page needs is imported
    from workbench.training.recipes import Recipe
    from workbench.ui.train.setup import Setup


def open_seen(session: Session, page: QWidget) -> None:
    """One window at a time; an open one takes the recipe anew."""
    from workbench.ui.train.seen.window import SeenWindow
    from workbench.ui.train.setup import Setup

    if session.document is None or not session.document.images():
        session.inform("There is no image to look at. Open a project, or add images on the Data page.")
        return
    top = page.window()

    def recipe() -> Recipe | None:
        """None while the train page was not seen, or where a value in its form is not valid."""
        setup = top.findChild(Setup)
        try:
            return setup.recipe() if isinstance(setup, Setup) else None
        except WorkbenchError:
            return None

    window = next((one for one in top.findChildren(SeenWindow) if not one.ended), None)
    if window is None:
        window = SeenWindow(session, top, recipe)
    else:
        window.take(recipe)
    window.show()
    window.raise_()
    window.activateWindow()


class SeenButton(QPushButton):
    """Puts itself above the button that starts a training."""

    def __init__(self, session: Session, setup: Setup) -> None:
        super().__init__("What the trainer sees…", setup)
        self.setObjectName("train-seen")
        self.setToolTip("Images as they enter the network, and which cells, anchors or points learn which box")
        self.clicked.connect(lambda: open_seen(session, setup))
        column = setup.layout()
        assert isinstance(column, QVBoxLayout)
        column.insertWidget(column.indexOf(setup.start), self)
