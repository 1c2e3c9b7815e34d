"""What every page of the window has: a name, and two hooks (shown, and the window closing)."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtWidgets import QWidget

from workbench.ui.session import Session
from workbench.ui.widgets.field_keys import FieldKeys


class Page(QWidget):
    """One page of the window. It reads and edits the project through `session` and never accesses the window itself.

    A page is created when first shown. It may be shown while no project is open.
    """

    name: ClassVar[str] = ""  # "data", "label", "anchors", "train", "inspect" or "export"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setObjectName(f"page-{self.name}")
        FieldKeys(self)

    main_widget: QWidget | None = None  # it gets the focus when the page is shown
    lower_table: QWidget | None = None  # at the lower edge: messages lie above it, as its rows are what they tell of

    def take_keyboard(self) -> None:
        """Not a focus proxy: Tab would jump straight to that, past everything before it on the page."""
        main_widget = self.main_widget if self.main_widget is not None and self.main_widget.isVisibleTo(self) else self
        main_widget.setFocus()

    def shown(self) -> None:
        """Called each time the page becomes visible: for work that can wait until then."""

    def closing(self) -> None:
        """Called when the window closes: end what runs outside the session's jobs, and wait for it."""
