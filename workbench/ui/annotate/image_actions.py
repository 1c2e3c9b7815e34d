"""The commands for the shown image as actions of the Label page, and the menu of the list of images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractItemView, QWidget

from workbench.core import edits
from workbench.core.folders.name_forms import short
from workbench.core.project import State
from workbench.ui.actions import make_action, offer_in
from workbench.ui.annotate.image_navigation import ImageNavigation
from workbench.ui.images import unread_images
from workbench.ui.images.image_notes import ask_for_note
from workbench.ui.session import Session
from workbench.ui.widgets.open_folder import open_folder
from workbench.ui.widgets.popups import Menu, MenuKeyFilter


class ImageActions(QObject):
    """`view` is the list of images. Those that decide act once for a key that is held, by `once`."""

    def __init__(
        self,
        page: QWidget,
        session: Session,
        view: QAbstractItemView,
        navigation: ImageNavigation,
        once: Callable[[Callable[[], object]], Callable[[], None]],
    ) -> None:
        super().__init__(page)
        self._session, self._view, self._page = session, view, page
        self.next = make_action(page, "next-image", partial(navigation.go, 1))
        self.previous = make_action(page, "previous-image", partial(navigation.go, -1))
        make_action(page, "next-unlabelled", partial(navigation.go_unlabelled, 1))
        make_action(page, "previous-unlabelled", partial(navigation.go_unlabelled, -1))
        make_action(page, "take-over", navigation.copy_previous_boxes)
        self.verify = make_action(page, "verify", once(partial(navigation.finish, State.VERIFIED)))
        self.done = make_action(page, "done", once(partial(navigation.finish, State.DONE)))
        self._reopen = make_action(page, "reopen-image", once(self.reopen))
        self._note = make_action(page, "note-image", self.note)
        self._remove = make_action(page, "remove-image", once(self.remove))
        self._of_file = (
            make_action(page, "copy-path", self.copy_path),
            make_action(page, "open-image-folder", self.open_folder),
        )
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._open_menu)
        MenuKeyFilter(view)

    def reopen(self) -> None:
        """Set the image back to in work, or to unlabelled if it has no box, and stay there."""
        document, image = self._session.document, self._session.image
        if document is None or image is None:
            return
        state = State.IN_WORK if document.boxes(image.id) else State.UNLABELLED
        if image.state is state:
            self._session.inform(f"This image is {state} already.")
        elif unread_images.set_state(self._session, (image.id,), state):
            self._session.inform(f"This image is {state} again.")

    def note(self) -> None:
        """Ask for the image's note."""
        if (image := self._session.image) is not None:
            ask_for_note(self._session, (image.id,), self._page)

    def remove(self) -> None:
        """Take the image out of the project, and show the next one."""
        image = self._session.image
        if image is not None and self._session.do(edits.RemoveImages((image.id,))) is not None:
            self._session.inform(
                f"{short(image.name)} is taken out of the project. Its file stays where it is; Undo brings it back."
            )

    def copy_path(self) -> None:
        """Put the path of the image's file into the clipboard, for a message or for another program."""
        if (file := self._file()) is not None:
            QGuiApplication.clipboard().setText(str(file))
            self._session.inform(f"Copied: {file}")

    def open_folder(self) -> None:
        """Show the folder of the image's file in the system's file manager."""
        if (file := self._file()) is not None and not open_folder(file.parent):
            self._session.message.emit("warning", f"The folder could not be shown. It is {file.parent}.")

    def _file(self) -> Path | None:
        document, image = self._session.document, self._session.image
        return document.file(image) if document is not None and image is not None else None

    @Slot(QPoint)
    def _open_menu(self, at: QPoint) -> None:
        """For the shown image, which the click has chosen."""
        image = self._session.image
        if image is None or not self._view.indexAt(at).isValid():
            return
        menu = Menu(self._view)
        menu.setObjectName("image-menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        states = menu.below("State")
        for state in State:
            choice = states.addAction(state.value.capitalize())
            choice.setCheckable(True)
            choice.setChecked(state is image.state)
            choice.triggered.connect(lambda _=False, to=state: unread_images.set_state(self._session, (image.id,), to))
        menu.addActions([self._reopen, self._note, self._remove])
        menu.addSeparator()
        menu.addActions(self._of_file)
        offer_in(menu, "seen", self._page)
        menu.popup(self._view.viewport().mapToGlobal(at))
