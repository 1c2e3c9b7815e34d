"""What every page of the window is: a name, a title, an icon, and two moments (shown, and the window closing)."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtWidgets import QWidget

from workbench.ui.session import Session


class Page(QWidget):
    """One page of the window. It reads and edits the project through `session` and never reaches up to the window.

    A page is made when it is first shown. It may be shown while no project is open.
    """

    name: ClassVar[str] = ""  # "data", "label", "anchors", "train", "inspect" or "export"
    title: ClassVar[str] = ""  # the word on the rail
    icon: ClassVar[str] = ""  # a name of ui/icons.py, such as "mdi6.image-multiple-outline"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setObjectName(f"page-{self.name}")

    keyed: QWidget | None = None  # what one works with: it has the keyboard when the page comes

    def take_keyboard(self) -> None:
        """Not by a focus proxy: Tab would go straight to that, and over all that stands before it on the page."""
        keyed = self.keyed if self.keyed is not None and self.keyed.isVisibleTo(self) else self
        keyed.setFocus()

    def shown(self) -> None:
        """Called each time the page becomes visible: the place for work that can wait until then."""

    def closing(self) -> None:
        """Called when the window closes: end what runs outside the session's jobs, and wait for it."""
