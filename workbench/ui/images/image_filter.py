"""Which images are listed: by state, split, label, name, notes, and number, size and marks of boxes; and the order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

from workbench.core.project import FLAGS, Split, State
from workbench.ui import theme
from workbench.ui.images import image_queues
from workbench.ui.images.images_model import ANY_MARK, QUEUED, Filter, Order
from workbench.ui.session import Session
from workbench.ui.widgets.elided import ElidedCombo, ElidedLabel
from workbench.ui.widgets.popups import Combo, Menu
from workbench.ui.widgets.spin_boxes import spin_box

_EMPTY, _UNFINISHED = "empty", "unfinished"
_BESIDE = 20  # px of a field beside its words
_LETTERS = 14
"""Letters of a label that must fit, however long its name is."""
ORDERS = {
    Order.NAME: "By name", Order.DATE: "By date", Order.LATEST: "Latest date first",
    Order.NEWEST: "Last added first", Order.MOST: "Most boxes first", Order.FEWEST: "Fewest boxes first",
    Order.LOSS: "Highest loss first", Order.UNCERTAIN: "Most uncertain first",
    Order.DIFFERENT: "Most different first", Order.BOTH: "Most useful first",
}  # fmt: skip


class ImageFilter(QFrame):
    """Emits the whole Filter. `prefix` starts the object names; `narrow`: in rows, for a list beside something.

    `note` says to which images the list is restricted, or that another page's filter was taken over, and can show all
    again. Unless `narrow`, the owner places it: it needs a line of its own.
    """

    changed = Signal(object)

    def __init__(
        self, session: Session, prefix: str = "filter", *, narrow: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._quiet = False
        states = [(state.value.capitalize(), state.value) for state in State]
        self._state = _box(f"{prefix}-state", "Any state", [("Not done yet", _UNFINISHED), *states])
        self._split = _box(f"{prefix}-split", "Any split", [(split.words.capitalize(), split.value) for split in Split])
        self._label = ElidedCombo(f"{prefix}-label", "Label", "Images with a box of this label.", letters=_LETTERS)
        self._label.addItem("Any label", None)
        self._text = QLineEdit(placeholderText="Filter by name", clearButtonEnabled=True)
        self._text.setObjectName(f"{prefix}-text")
        self._text.setAccessibleName("Part of a name or note")
        self.more = MoreFilter(prefix)
        self._alone = Filter()  # with only `only` set, or nothing
        self._taken: Filter | None = None  # from another page, by name, as long as nothing is changed here
        self._folder = session.document.folder if session.document else None
        self._why = ElidedLabel()
        self._why.setObjectName(f"{prefix}-why")
        self._drop = QPushButton("All again")
        self._drop.setObjectName(f"{prefix}-only")
        self._drop.setToolTip("List the other images, too")
        self._drop.clicked.connect(self.list_all)
        self.note = self._made_note(narrow)
        self._lay_out(narrow)
        for box in (self._state, self._split, self._label):
            box.currentIndexChanged.connect(self._emit)
        self._text.textChanged.connect(self._emit)
        self.more.changed.connect(self._emit)
        session.edited.connect(self.renew_labels)
        session.document_changed.connect(self._document_changed)
        self.renew_labels()

    @property
    def text(self) -> QLineEdit:
        return self._text

    def _lay_out(self, narrow: bool) -> None:
        words = self._text.fontMetrics().horizontalAdvance(self._text.placeholderText())
        self._text.setMinimumWidth(words + _BESIDE)
        down = QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight
        layout = QBoxLayout(down, self)
        layout.setContentsMargins(*(theme.GRID,) * 4)
        layout.setSpacing(theme.GRID // 2 if narrow else theme.GRID)
        rows = ((self._state, self._split), (self._label, self.more), (self._text,))
        for row in rows:
            line = QHBoxLayout()
            line.setSpacing(layout.spacing())
            for widget in row:
                if narrow and isinstance(widget, QComboBox):
                    widget.setMinimumWidth(40)
                    widget.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
                line.addWidget(widget, 0 if widget is self.more else 1)
            layout.addLayout(line, 1 if self._text in row else 0)
        if narrow:
            layout.addWidget(self.note)

    def _made_note(self, narrow: bool) -> QWidget:
        note = QWidget()
        row = QVBoxLayout(note) if narrow else QHBoxLayout(note)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.GRID // 2 if narrow else theme.GRID)
        row.addWidget(self._why)
        row.addWidget(self._drop)
        if not narrow:
            row.addStretch(1)
        note.hide()
        return note

    def set_filter(self, wanted: Filter) -> None:
        self._quiet = True
        state = _UNFINISHED if wanted.unfinished else wanted.state.value if wanted.state else None
        self._state.setCurrentIndex(max(0, self._state.findData(state)))
        self._split.setCurrentIndex(max(0, self._split.findData(wanted.split.value if wanted.split else None)))
        label = _EMPTY if wanted.empty else wanted.label
        self._label.setCurrentIndex(max(0, self._label.findData(label)))
        self._text.setText(wanted.text)
        self.more.set_filter(wanted)
        self._alone = Filter(only=wanted.only, why=wanted.why, boxes=wanted.boxes)
        self._quiet = False
        self._emit()

    def take_over(self, wanted: Filter) -> None:
        """List what another page lists, in its order; by name is no order that replaces one chosen here.

        If that page lists everything, what was taken over before is dropped, and a filter chosen here stays.
        """
        order = self.more.filter().order if wanted.order is Order.NAME else wanted.order
        by_name = dataclasses.replace(wanted, order=Order.NAME)
        if by_name == Filter():
            self.list_all()
            self.more.set_order(order)
        else:
            self._taken = by_name
            self.set_filter(dataclasses.replace(wanted, order=order))

    @Slot()
    def list_all(self) -> None:
        """List the images again that `only`, or the filter that was taken over, leaves out."""
        if self._taken is not None:
            self.set_filter(Filter(order=self.more.filter().order))
        elif self._alone.only is not None:
            self._alone = Filter()
            self._emit()

    def _show_note(self, wanted: Filter) -> None:
        if self._taken != dataclasses.replace(wanted, order=Order.NAME):
            self._taken = None
        words = "As filtered on the Data page" if wanted.only is None else f"Only those {wanted.why}"
        self._why.setText(words)
        self._why.setToolTip(words)
        self.note.setVisible(wanted.only is not None or self._taken is not None)

    @Slot()
    def _document_changed(self) -> None:
        """Ids and names mean nothing in another project, nor does the order that a run gave this one's images.

        A project that is opened again, for instance at the new place of its photographs, is the same one.
        """
        document = self._session.document
        if document is None:
            return
        is_other, self._folder = document.folder != self._folder, document.folder
        if is_other or self._alone.only is not None:
            self.list_all()
        if is_other:
            self._label.setCurrentIndex(0)
            self._text.clear()
        self.renew_labels()
        if self.more.filter().order in QUEUED:
            if is_other:
                self.more.set_order(Order.NAME)
            else:
                image_queues.of(self._session).renew()

    @Slot()
    def renew_labels(self, applied: object = None) -> None:
        """Offer the project's labels as choices; the chosen one is kept if it still exists."""
        if applied is not None and not getattr(applied, "labels_changed", True):
            return
        document, kept = self._session.document, self._label.currentData()
        self._quiet = True
        self._label.clear()
        self._label.addItem("Any label", None)
        self._label.addItem("Without boxes", _EMPTY)
        for label in document.labels() if document else ():
            self._label.addItem(label.name, label.id)
        self._label.setCurrentIndex(max(0, self._label.findData(kept) if kept is not None else 0))
        self._quiet = False
        if self._label.currentData() != kept:
            self._emit()

    @Slot()
    def _emit(self) -> None:
        if self._quiet:
            return
        state, split, label = self._state.currentData(), self._split.currentData(), self._label.currentData()
        wanted = dataclasses.replace(
            self.more.filter(),
            state=State(state) if state and state != _UNFINISHED else None,
            unfinished=state == _UNFINISHED,
            split=Split(split) if split else None,
            label=label if isinstance(label, int) else None,
            text=self._text.text().strip(),
            empty=label == _EMPTY,
            only=self._alone.only,
            why=self._alone.why,
            boxes=self._alone.boxes,
        )
        self._show_note(wanted)
        self.changed.emit(wanted)


class MoreFilter(QToolButton):
    """A button for rarely used filters: the order, number, size and marks of boxes, notes. Marked while in use."""

    changed = Signal()

    def __init__(self, prefix: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"{prefix}-more")
        self.setToolTip("Order of the images; number, size and marks of their boxes; notes")
        self.setAccessibleName("More filters")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        theme.set_icon(self, "mdi6.filter-variant")
        self._order = Combo()
        self._order.setObjectName(f"{prefix}-order")
        for order, word in ORDERS.items():
            self._order.addItem(word, order.value)
        self._fewest = _spin(f"{prefix}-fewest")
        self._most = _spin(f"{prefix}-most")
        self._from = _spin(f"{prefix}-side-from", " px")
        self._to = _spin(f"{prefix}-side-to", " px")
        self._to.setAccessibleName("With a box whose shorter side is at most")  # the others' are the words beside them
        marks = [("Any mark", ANY_MARK), *((flag.capitalize(), flag) for flag in FLAGS)]
        self._mark = _box(f"{prefix}-mark", "Marked or not", marks)
        self._noted = QCheckBox("With a note")
        self._noted.setObjectName(f"{prefix}-noted")
        self._noted.setToolTip("On the image or on a box. Filter by name then finds words of boxes' notes, too")
        self._clear = QPushButton("Clear")
        self._clear.setObjectName(f"{prefix}-clear")
        panel = QWidget()
        form = QFormLayout()
        form.addRow("Order", self._order)
        form.addRow("Boxes: at least", self._fewest)
        form.addRow("Boxes: at most", self._most)
        form.addRow("With a box whose shorter side is at least", self._from)
        form.addRow("… and at most", self._to)
        form.addRow("With a box marked", self._mark)
        form.addRow(self._noted)
        column = QVBoxLayout(panel)
        column.addLayout(form)
        column.addWidget(self._clear, 0, Qt.AlignmentFlag.AlignRight)
        action = QWidgetAction(self)
        action.setDefaultWidget(panel)
        menu = Menu(self)
        menu.addAction(action)
        self.setMenu(menu)
        self._order.currentIndexChanged.connect(self._changed)
        for spin in self._spins:
            spin.valueChanged.connect(self._changed)
        self._mark.currentIndexChanged.connect(self._changed)
        self._noted.toggled.connect(self._changed)
        self._clear.clicked.connect(self._clear_all)
        self._show_active()

    @property
    def _spins(self) -> Sequence[QSpinBox]:
        return self._fewest, self._most, self._from, self._to

    def filter(self) -> Filter:
        """This button's part of the filter; all else is left open."""
        fewest, most, low, high = (spin.value() if spin.value() > spin.minimum() else None for spin in self._spins)
        return Filter(
            order=Order(self._order.currentData()), fewest=fewest, most=most, side_from=low, side_to=high,
            mark=self._mark.currentData() or "", noted=self._noted.isChecked(),
        )  # fmt: skip

    def set_order(self, order: Order) -> None:
        self._order.setCurrentIndex(max(0, self._order.findData(order.value)))

    def set_filter(self, wanted: Filter) -> None:
        self.set_order(wanted.order)
        values = (wanted.fewest, wanted.most, wanted.side_from, wanted.side_to)
        for spin, value in zip(self._spins, values, strict=True):
            spin.setValue(spin.minimum() if value is None else round(value))
        self._mark.setCurrentIndex(max(0, self._mark.findData(wanted.mark or None)))
        self._noted.setChecked(wanted.noted)

    @Slot()
    def _clear_all(self) -> None:
        self.set_filter(Filter())

    @Slot()
    def _changed(self) -> None:
        self._show_active()
        self.changed.emit()

    def _show_active(self) -> None:
        active = self.filter() != Filter()
        theme.set_icon(self, "mdi6.filter-check" if active else "mdi6.filter-variant")


def _spin(name: str, suffix: str = "") -> QSpinBox:
    """-1 means any."""
    spin = spin_box()
    spin.setObjectName(name)
    spin.setRange(-1, 100_000)
    spin.setSpecialValueText("any")
    spin.setSuffix(suffix)
    spin.setMinimumHeight(24)
    spin.setValue(-1)
    return spin


def _box(name: str, first: str, choices: list[tuple[str, str]]) -> QComboBox:
    box = Combo()
    box.setObjectName(name)
    box.setAccessibleName(first.removeprefix("Any ").capitalize())
    box.addItem(first, None)
    for word, value in choices:
        box.addItem(word, value)
    return box
