"""The button on the Inspect page that opens the window "Other images", and its shortcut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QPushButton, QWidget

from workbench.ui.actions import make_action, tell_key
from workbench.ui.inspect.run_picker import RunPicker
from workbench.ui.session import Session

if TYPE_CHECKING:  # what it needs is imported when it is opened
    from workbench.ui.inspect.other_images.window import OtherImagesWindow


class OtherImagesButton(QPushButton):
    """An open window uses the run that is chosen in the pickers."""

    def __init__(self, session: Session, page: QWidget, picker: RunPicker) -> None:
        super().__init__("Other images…")
        self.setObjectName("inspect-elsewhere")
        self._session, self._picker = session, picker
        self._action = make_action(
            page, "look-elsewhere", self.open, context=Qt.ShortcutContext.WidgetWithChildrenShortcut
        )
        tell_key(self, "look-elsewhere")
        self.clicked.connect(self.open)
        picker.changed.connect(self._follow)

    @Slot()
    def open(self) -> None:
        """Only one window."""
        from workbench.ui.inspect.other_images.window import OtherImagesWindow

        run, checkpoint = self._picker.run, self._picker.checkpoint
        if run is None or checkpoint is None:
            self._session.inform("There is no trained run to look with yet. Train one, or import weights.")
            return
        window = self._open_one() or OtherImagesWindow(self._session, self.window())
        window.show()
        window.set_run(run, checkpoint)  # of which it shows a picture only while it is visible itself
        window.raise_()
        window.activateWindow()

    def _open_one(self) -> OtherImagesWindow | None:
        """Found by name, so that its module is not loaded before it is needed."""
        found = [one for one in self.window().findChildren(QWidget, "looking-window") if not one.ended]  # type: ignore[attr-defined]
        return found[0] if found else None  # type: ignore[return-value]

    @Slot()
    def _follow(self) -> None:
        window = self._open_one()
        run, checkpoint = self._picker.run, self._picker.checkpoint
        if window is not None and run is not None and checkpoint is not None:
            window.set_run(run, checkpoint)
