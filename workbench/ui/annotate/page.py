"""The Label page: images on the left, the canvas in the middle, labels and boxes on the right.

It turns what the canvas, the lists and the keys ask for into edits of the session, and follows the session.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from PySide6.QtCore import QSizeF, Qt, QTimer, Slot
from PySide6.QtGui import QContextMenuEvent, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from workbench.core.applied_edit import AppliedEdit
from workbench.core.project import XYXY, Box
from workbench.errors import WorkbenchError
from workbench.ui import keys, preferences
from workbench.ui.actions import CANVAS_KEY, make_action, offer_in, with_keys
from workbench.ui.annotate import box_here, list_keys
from workbench.ui.annotate.box_actions import BoxActions
from workbench.ui.annotate.box_commands import BoxCommands
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.canvas_menus import CanvasMenus
from workbench.ui.annotate.canvas_toolbar import CanvasToolbar
from workbench.ui.annotate.changed_size import ChangedSize
from workbench.ui.annotate.hidden_labels import HiddenLabels
from workbench.ui.annotate.image_actions import ImageActions
from workbench.ui.annotate.image_list import ImageList
from workbench.ui.annotate.image_navigation import ImageNavigation
from workbench.ui.annotate.label_chooser import LabelChooser
from workbench.ui.annotate.label_menu import LabelMenu
from workbench.ui.annotate.label_prompt import LabelPrompt
from workbench.ui.annotate.one_way_shortcut import OneWayShortcut
from workbench.ui.annotate.requested_boxes import RequestedBoxes
from workbench.ui.annotate.side_panel import SidePanel
from workbench.ui.annotate.suggest_bar import SuggestBar
from workbench.ui.digit_keys import digit_of
from workbench.ui.held_keys import HeldKeys
from workbench.ui.images import thumbnails, unread_images
from workbench.ui.images.picture_loader import AHEAD, PictureLoader, PictureRequest
from workbench.ui.images.pictures import Picture
from workbench.ui.page import Page
from workbench.ui.session import Session
from workbench.ui.widgets import window_geometry
from workbench.ui.widgets.empty_state import EmptyState

_UP_DOWN = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}
_COUNT_AFTER = 150
"""Milliseconds from the last edit until boxes are counted again: counting a million takes 40 ms."""


class AnnotatePage(Page):
    """Draw and correct boxes."""

    name = "label"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.canvas = Canvas()
        self._requested_boxes = RequestedBoxes(session, self.canvas)
        self._images = ImageList(session)
        self._hidden = HiddenLabels(session, self)
        self._changed_size = ChangedSize(session)
        self._side = SidePanel()
        self._loader = PictureLoader(self)
        self._commands = BoxCommands(session, self.canvas, self)
        self._label_prompt = LabelPrompt(session, self.canvas, self)
        self._label_chooser = LabelChooser(session, self.canvas, self._commands, self._label_prompt, self._hidden)
        self._navigation = ImageNavigation(session, self.canvas, self._images.model, self._commands, self)
        self._suggest_bar = SuggestBar(session, self.canvas)
        self._shown = 0  # the image on the canvas
        self._count = QTimer(self, singleShot=True, interval=_COUNT_AFTER)
        self._count.timeout.connect(self._show_labels)
        self._make_actions()
        self._build()
        self._connect()
        self._document_changed()

    # --- building ---

    def _make_actions(self) -> None:
        only_canvas = Qt.ShortcutContext.WidgetShortcut
        canvas, suggestions = self.canvas, self._suggest_bar.commands
        self._draw = make_action(self, "draw", canvas.set_drawing, checkable=True)
        self._draw.installEventFilter(OneWayShortcut(self))
        self._menus = CanvasMenus(self.session, canvas, self._draw, self)
        held = self._held = HeldKeys(self)
        self._of_image = ImageActions(self, self.session, self._images.view, self._navigation, held.once)
        make_action(self, "cancel", canvas.cancel)
        make_action(self, "to-labels", lambda: self._go_between(self._side.labels.view))
        make_action(self, "to-images", lambda: self._go_between(self._images.view))
        make_action(self, "box-here", self._draw_here)
        refuse, ask_label = suggestions.refuse_marked, self._label_chooser.ask
        self._of_boxes = BoxActions(self, canvas, self._commands, refuse, ask_label, held.once)
        self._fit = make_action(self, "fit", canvas.fit)
        self._full = make_action(self, "zoom-100", lambda: canvas.zoom_to(1.0 / canvas.devicePixelRatioF()))
        self._in = make_action(self, "zoom-in", lambda: canvas.zoom_by(1))
        self._out = make_action(self, "zoom-out", lambda: canvas.zoom_by(-1))
        self._keep = make_action(self, "keep-zoom", lambda on: preferences.put("label/keep-zoom", on), checkable=True)
        self._keep.setChecked(preferences.flag("label/keep-zoom"))
        self._hide = make_action(self, "hide-boxes", canvas.set_hidden, checkable=True)
        self._suggest = make_action(self, "suggest", self._suggest_bar.switch, checkable=True)
        self._suggest.setIconText("Suggest")
        make_action(self, "train-and-suggest", self._train_and_suggest)
        self._takes = (
            make_action(canvas, "take-suggestion", held.once(suggestions.take_marked), context=only_canvas),
            make_action(canvas, "take-suggestions", suggestions.take_all, context=only_canvas),
        )

    def _build(self) -> None:
        """From the outside in: what is added with all within it tells each of these of another style."""
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._stack = QStackedWidget()
        layout.addWidget(self._stack)
        self._splitter = QSplitter()
        self._splitter.setObjectName("label-splitter")
        self._stack.addWidget(self._splitter)
        middle = QWidget()
        self._splitter.addWidget(self._images)
        self._splitter.addWidget(middle)
        of_image = self._of_image
        tools = (self._draw, of_image.previous, of_image.next, self._suggest)
        views = (self._out, self._in, self._fit, self._full, self._keep, *self._menus.views, self._hide)
        self._toolbar = CanvasToolbar(tools, views, (of_image.done, of_image.verify), self._menus.menus)
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._toolbar)
        column.addWidget(self._suggest_bar)
        column.addWidget(self.canvas, 1)
        self._splitter.addWidget(self._side)  # last: Tab comes to it after the canvas
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setSizes([232, 776, 224])  # fits names of 18 letters
        self._splitter.setChildrenCollapsible(False)
        window_geometry.remember_panes(self._splitter, "label/splitter")
        self._empty = EmptyState("label-empty", "mdi6.image-plus-outline")
        self._empty.say("No images yet", "Boxes are drawn on the project's images.", "Add images", "data")
        self._empty.page_requested.connect(self.session.page_requested)
        self._stack.addWidget(self._empty)
        self.main_widget = self.canvas

    def _connect(self) -> None:
        session, canvas, side = self.session, self.canvas, self._side
        session.document_changed.connect(self._document_changed)
        session.closing.connect(self._finish)
        session.image_changed.connect(self._image_changed)
        session.label_changed.connect(self._show_labels)
        session.edited.connect(self._edited)
        session.boxes_requested.connect(self._show_requested_boxes)
        canvas.drawn.connect(self._drawn)
        canvas.changed.connect(self._commands.replace)
        canvas.refused.connect(lambda why: session.inform(with_keys(why)))
        canvas.mode_changed.connect(self._draw.setChecked)
        canvas.selection_changed.connect(self._selection_changed)
        canvas.view_changed.connect(self._view_changed)
        canvas.verify_requested.connect(self._space_tapped)
        self._loader.loaded.connect(self._picture_came)
        self._loader.read.connect(unread_images.of(session).read)
        unread_images.of(session).readable_again.connect(self._readable_again)
        self._loader.changed.connect(thumbnails.of(session).remake)
        self._images.keyboard_released.connect(canvas.setFocus)
        self._suggest_bar.trained.connect(self._images.order_by_both)
        side.labels.chosen.connect(self._label_chooser.clicked)
        side.labels.new_label_requested.connect(self._label_prompt.make)
        side.labels.keyboard_released.connect(canvas.setFocus)
        LabelMenu(self.session, side.labels.view, self._hidden, self)
        self._hidden.changed.connect(self._hidden_changed)
        self._toolbar.hidden.clicked.connect(self._hidden.clear)
        side.boxes.selected.connect(canvas.select_in_sight)
        side.boxes.view.doubleClicked.connect(self._label_chooser.ask)
        side.details.changed.connect(self._commands.replace)
        side.details.note_changed.connect(self._commands.note)
        side.details.keyboard_released.connect(canvas.setFocus)

    def shown(self) -> None:
        self._show_labels()
        self._show_image()

    def closing(self) -> None:
        self._finish()
        self._loader.close()
        self._suggest_bar.close_down()

    @Slot()
    def _finish(self) -> None:
        """Make edits of unfinished input that counts: a held arrow key, a note without Enter."""
        self.canvas.end_nudge()
        self._side.details.finish()

    # --- what the session says ---

    @Slot()
    def _document_changed(self) -> None:
        self._shown = 0
        self._loader.forget()
        self._commands.forget()
        self._changed_size.forget()
        self._hidden.clear()
        self.shown()

    @Slot(int)
    def _image_changed(self, _id: int) -> None:
        self._show_image()

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        if self.canvas.hidden and any(box.image == self._shown for box in applied.added_boxes):
            self._hide.trigger()  # also undo makes nothing out of sight
        if self._shown in applied.images or applied.labels_changed:
            self._show_boxes()
        if applied.changes("window") or self._shown in applied.added_image_ids:
            self._shown = 0  # the same image, read again
        if applied.images_changed or applied.changes("window"):
            self._show_image()
        elif self._shown in applied.images:
            self._toolbar.show_image(self.session.image)  # its note
        if applied.labels_changed:
            self._show_labels()
        else:
            self._count.start()

    @Slot()
    def _hidden_changed(self) -> None:
        self._toolbar.show_hidden(len(self._hidden.ids), self._hidden.names)
        self._show_labels()
        self._show_boxes()

    def _show_image(self) -> None:
        """Put the session's image on the canvas if the page is visible; its picture follows when it is read."""
        document, image = self.session.document, self.session.image
        if document is not None and image is not None:
            image = document.measured(image)
        self._stack.setCurrentWidget(self._empty if document is not None and not document.images() else self._splitter)
        self._toolbar.show_image(image)
        if image is None or document is None:
            self._shown = 0
            self.canvas.show_picture(None, QSizeF())
            self.canvas.set_boxes((), ())
            self._show_list(())
            return
        if not self.isVisible() or image.id == self._shown:
            return
        self._finish()
        self.canvas.cancel_gesture()
        self._shown = image.id
        around = (self._images.model.neighbour(image.id, step) for step in AHEAD)
        ids = [image.id, *(id for id in around if id)]
        window, cache = document.window(), document.cache_folder
        picture = self._loader.want(
            [PictureRequest(id, document.file(document.image(id)), window, cache) for id in ids]
        )
        self.canvas.select(())
        size = picture or image  # boxes are drawn in pixels of the file, also if its size was changed since
        self.canvas.show_picture(picture, QSizeF(size.width, size.height), keep_view=self._keep.isChecked())
        self._tell_about(picture)
        self._show_boxes()
        self._show_requested_boxes(self._images.requested_boxes)

    @Slot(int)
    def _readable_again(self, id: int) -> None:
        """The file is there again: read it."""
        if id == self._shown and self.canvas.picture is None:
            self._shown = 0
            self._show_image()

    @Slot(int, object)
    def _picture_came(self, id: int, result: object) -> None:
        if id != self._shown:
            return
        if isinstance(result, Picture):
            self.canvas.show_picture(result, QSizeF(result.width, result.height), keep_view=True)
            self._tell_about(result)
        elif isinstance(result, WorkbenchError):
            self.canvas.say(result.sentence)

    def _tell_about(self, picture: Picture | None) -> None:
        self._toolbar.show_note(picture.about if picture is not None else "")
        self._menus.offer_levels(picture)
        self._changed_size.tell(picture)

    def _show_boxes(self) -> None:
        document = self.session.document
        if document is None or not self._shown:
            return
        boxes = self._hidden.visible(document.boxes(self._shown))
        self.canvas.set_boxes(boxes, document.labels())
        self._suggest_bar.show_image(self._shown)
        self._show_list(boxes)

    def _show_list(self, boxes: tuple[Box, ...]) -> None:
        document = self.session.document
        labels = {label.id: label for label in document.labels()} if document else {}
        image = self.session.image
        self._side.boxes.show_boxes(boxes, labels, (image.width, image.height) if image else (0, 0))
        self._selection_changed()

    @Slot()
    def _show_labels(self) -> None:
        document = self.session.document
        if document is not None:
            self._side.labels.show_labels(
                document.labels(), document.label_counts(), self.session.label_id, self._hidden.ids
            )
            self.canvas.new_label = self.session.label
        else:
            self._side.labels.show_labels((), {}, 0)

    @Slot()
    def _selection_changed(self) -> None:
        canvas = self.canvas
        if canvas.hidden and canvas.affected:  # drawn, or chosen by a key or in the list: keys would act on it unseen
            self._hide.trigger()
        self._side.boxes.follow(canvas.selected)
        self._side.details.show_boxes(canvas.affected_boxes, bool(canvas.selected or not canvas.affected))

    @Slot()
    def _view_changed(self) -> None:
        self._toolbar.show_zoom(self.canvas.view.scale * self.canvas.devicePixelRatioF())

    @Slot(object)
    def _show_requested_boxes(self, ids: Collection[int]) -> None:
        """Select those of these boxes that are in this image, and bring one into view."""
        if self.isVisible():
            self._hidden.show_boxes(self._shown, ids)
            self._requested_boxes.select(ids)

    # --- drawing and labels ---

    @Slot()
    def _draw_here(self) -> None:
        if (xyxy := box_here.box_in_view(self.canvas)) is not None:
            self.canvas.set_drawing(False)  # so that arrow keys move the selection
            self.canvas.setFocus()
            self._drawn(xyxy)

    @Slot(object)
    def _drawn(self, xyxy: XYXY) -> None:
        """Save a drawn rectangle at once, unless the project has no label yet: then ask for its name first."""
        label, image = self.session.label, self._shown
        if label is not None:
            self._commands.add(image, xyxy, label.id)
            return
        self.canvas.set_draft(xyxy)
        self._label_prompt.ask(lambda id: self._commands.add(image, xyxy, id))

    @Slot()
    def _space_tapped(self) -> None:
        if CANVAS_KEY in keys.of("verify"):
            self._of_image.verify.trigger()

    @Slot()
    def _train_and_suggest(self) -> None:
        """Works also while suggestions are off: their bar says how it goes or what prevents it."""
        self._suggest.setChecked(True)
        self._suggest_bar.switch(True)
        self._suggest_bar.loop.start()

    def _go_between(self, place: QWidget) -> None:
        """On the canvas Tab steps through boxes: this key leaves it for where Tab goes on, and comes back."""
        (place if self.canvas.hasFocus() else self.canvas).setFocus(Qt.FocusReason.TabFocusReason)

    # --- keys that any list of the page may pass on ---

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self.canvas.keyPressEvent(event)
        elif digit := digit_of(event):
            self._held.once(partial(self._number, digit))()
        elif event.key() in _UP_DOWN and self._suggest_bar.push(_UP_DOWN[Qt.Key(event.key())]):
            return
        elif not list_keys.trigger_action(event, self._takes):
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self.canvas.keyReleaseEvent(event)
        else:
            event.ignore()

    def _number(self, digit: str) -> None:
        label = self._label_chooser.label_of_digit(digit)
        if label is not None:
            self._suggest_bar.commands.take_as(label.id)
            self._label_chooser.press(digit, label)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self.canvas.rect().contains(self.canvas.mapFrom(self, event.pos())):
            menu = self._of_boxes.menu(self)
            offer_in(menu, "seen", self)
            menu.popup(event.globalPos())
