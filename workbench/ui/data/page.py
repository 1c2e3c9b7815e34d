"""The Data page: all images as a gallery, the labels as a table, the splits; import, export and adding images."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import (
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.core import edits, formatting
from workbench.core.splits import random_split
from workbench.ui.actions import make_action
from workbench.ui.data.gallery import Gallery
from workbench.ui.data.gallery_menu import GalleryMenu
from workbench.ui.data.image_adder import ImageAdder
from workbench.ui.data.image_trash import ImageTrash
from workbench.ui.data.labels_table import LabelsTable
from workbench.ui.data.summary import Summary
from workbench.ui.held_keys import HeldKeys
from workbench.ui.images.image_notes import ask_for_note
from workbench.ui.images.images_model import Filter
from workbench.ui.page import Page
from workbench.ui.session import Session
from workbench.ui.widgets import window_geometry
from workbench.ui.widgets.empty_state import EmptyState
from workbench.ui.widgets.tool_row import ToolRow

_SHORT = (
    "Add images", "Add video", "Import labels", "Export labels", "Label files", "Split at random",
    "Split by rules", "Check the data",
)  # fmt: skip
_GIVE_WAY = {"action-labels-beside": 3, "action-add-video": 2, "action-split": 1}
"""Buttons without their word in a narrow window, the rarest first."""
NONE = "Select images first: click one, or press Ctrl+A for all."
SEED = 0
"""Seed of the random split. Images keep their split, so splitting again divides only images added since."""


class DataPage(Page):
    """Gallery, labels, splits."""

    name = "data"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self._gallery = Gallery(session)
        self._labels = LabelsTable(session)
        self._summary = Summary(session)
        self.image_adder = ImageAdder(session, self)
        self._files = make_action(self, "add-files", self.image_adder.choose_files)
        self._check_files = make_action(self, "look-for-files", session.file_check_requested.emit)
        self._actions = (
            make_action(self, "add-images", self.image_adder.choose_folder),
            make_action(self, "add-video", self.image_adder.choose_video),
            make_action(self, "import-labels", self.show_import),
            make_action(self, "export-labels", self.show_export),
            make_action(self, "labels-beside", self.show_label_files),
            make_action(self, "random-split", self.split_at_random),
            make_action(self, "split", self.show_split),
            make_action(self, "check-data", self.show_health),
        )
        self._image_trash = ImageTrash(session, self)
        self._note = make_action(self, "note-images", self.note_images)
        held = HeldKeys(self)  # the next image takes the place of one that goes
        self._remove = make_action(self, "remove-images", held.once(self.remove_images))
        self._trash = make_action(self, "trash-images", held.once(self.trash_images))
        self._build()
        self._gallery.opened.connect(self._open)
        self._gallery.switched.connect(self._switched)
        self._gallery.boxes.opened.connect(self._open_boxes)
        self._labels.show_requested.connect(lambda id: self._gallery.show_only(Filter(label=id)))
        self._summary.filter_requested.connect(self._gallery.show_only)
        session.gallery_requested.connect(self._gallery.show_only)
        session.images_requested.connect(self._show_images)
        session.marked_images_requested.connect(self._show_images)
        session.document_changed.connect(self._show_what_there_is)
        session.edited.connect(self._show_what_there_is)
        self._show_what_there_is()

    @Slot(object, str)
    @Slot(object, str, object)
    def _show_images(self, ids: frozenset[int] | None, why: str, boxes: frozenset[int] = frozenset()) -> None:
        self._gallery.show_only(Filter(only=ids, why=why, boxes=boxes))

    def _build(self) -> None:
        """From the outside in: what is added with all within it tells each of these of another style."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        tools = ToolRow()
        for action, text in zip(self._actions, _SHORT, strict=True):
            action.setIconText(text)
            button = QToolButton(autoRaise=True)
            button.setDefaultAction(action)
            button.setObjectName(f"button-{action.objectName().removeprefix('action-')}")
            tools.add(button, _GIVE_WAY.get(action.objectName(), 0))
            if action.objectName() == "action-add-images":
                button.addActions([self._files, self._check_files])
                button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        layout.addWidget(tools)  # now: a style sheet has regarded each button's mode as it was
        self._stack = QStackedWidget()
        layout.addWidget(self._stack, 1)
        self._splitter = QSplitter()
        self._splitter.setObjectName("data-splitter")
        self._stack.addWidget(self._splitter)
        side = QWidget()
        self._splitter.addWidget(self._gallery)
        self._splitter.addWidget(side)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._summary)
        column.addWidget(self._labels, 1)
        self._splitter.setStretchFactor(0, 1)
        self._splitter.setSizes([900, 304])
        self._splitter.setChildrenCollapsible(False)
        window_geometry.remember_panes(self._splitter, "data/splitter")
        self._empty = EmptyState("data-empty", "mdi6.image-plus-outline")
        sentence = "Choose a folder of photographs, or drop them into the window. They stay where they are."
        self._empty.say("No images yet", sentence, "Add images from a folder…")
        self._empty.button.clicked.connect(self.image_adder.choose_folder)
        self._stack.addWidget(self._empty)
        self.main_widget = self._gallery.view

    def shown(self) -> None:
        self._gallery.follow()

    def closing(self) -> None:
        self._gallery.close_down()

    @Slot(object)
    def _switched(self, tiles: QWidget) -> None:
        self.main_widget = tiles

    @Slot()
    def _show_what_there_is(self, _applied: object = None) -> None:
        document = self.session.document
        nothing = document is not None and not document.images()
        self._stack.setCurrentWidget(self._empty if nothing else self._splitter)
        if self.hasFocus():
            self.take_keyboard()

    @Slot(int)
    def _open(self, id: int) -> None:
        listed = self._gallery.model.filter
        self.session.select_image(id)
        self.session.page_requested.emit("label")
        self.session.filter_requested.emit(listed)
        if listed.boxes:
            self.session.boxes_requested.emit(listed.boxes)

    @Slot(int, object)
    def _open_boxes(self, image: int, ids: tuple[int, ...]) -> None:
        self._open(image)
        self.session.boxes_requested.emit(ids)

    # --- images ---

    @Slot()
    def note_images(self) -> None:
        if selected := self._selected():
            ask_for_note(self.session, selected, self)

    def _selected(self) -> tuple[int, ...]:
        """Ids of the selected images; without any, it is said what to do."""
        selected = self._gallery.selected()
        if not selected:
            are_boxes = self._gallery.boxes.isVisible()
            self.session.inform("Boxes are shown: switch them off and select images first." if are_boxes else NONE)
        return selected

    @Slot()
    def remove_images(self) -> None:
        selected = self._selected()
        if selected and self.session.do(edits.RemoveImages(selected)) is not None:
            self.session.inform(
                f"{formatting.count(len(selected), 'image')} taken out of the project."
                " Files stay where they are; Undo brings them back."
            )

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """On the gallery: actions for the selected images and their boxes."""
        document, selected = self.session.document, self._gallery.selected()
        if document is None or not selected or not self._gallery.under(event.globalPos()):
            return
        menu = GalleryMenu(self.session, document, selected, self._gallery.model.filter, self)
        menu.addActions([self._note, self._remove, self._trash])
        menu.popup(event.globalPos())

    @Slot()
    def trash_images(self) -> None:
        self._image_trash.trash(self._selected())

    @Slot()
    def split_at_random(self) -> None:
        document = self.session.document
        if document is None:
            return
        edit = random_split(document.images(), SEED)
        if edit is None:
            self.session.inform("Every image has a split. Select some and choose No split to divide them again.")
        elif self.session.do(edit) is not None:
            self.session.inform(f"{edit.title}: the numbers at the right count them. Undo takes it back.")

    @Slot()
    def show_split(self) -> None:
        from workbench.ui.data.split_window import SplitWindow

        window = self.findChild(SplitWindow) or SplitWindow(self.session, self)
        window.show()
        window.raise_()

    # --- importing and exporting labels ---

    @Slot()
    def show_import(self) -> None:
        from workbench.ui.data.import_window import ImportWindow

        # Kept after it is closed: its job may still be reading.
        window = self.findChild(ImportWindow) or ImportWindow(self.session, self)
        window.show()
        window.raise_()
        if self.session.to_import is not None:
            window.propose(self.session.to_import)
            self.session.to_import = None

    @Slot()
    def show_label_files(self) -> None:
        from workbench.ui.data.label_files_window import LabelFilesWindow

        window = self.findChild(LabelFilesWindow) or LabelFilesWindow(self.session, self)
        window.renew()
        window.show()
        window.raise_()

    @Slot()
    def show_health(self) -> None:
        """Show the existing window with its findings; it checks again if the project was edited since."""
        from workbench.ui.data.health_window import HealthWindow

        window = self.findChild(HealthWindow) or HealthWindow(self.session, self)
        if window.is_due:
            window.check()
        window.show()
        window.raise_()

    @Slot()
    def show_export(self) -> None:
        from workbench.ui.data.export_window import ExportWindow

        window = self.findChild(ExportWindow) or ExportWindow(self.session, self)
        window.renew()
        window.show()
        window.raise_()
