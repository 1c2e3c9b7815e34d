"""Above the review gallery, what is listed and how much is left; below it, the four decisions on the current item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.core.project import Label
from workbench.inference.evaluating import review_decisions
from workbench.inference.evaluating.review import PLURAL, ReviewItem, ReviewKind, ReviewOrder
from workbench.inference.evaluating.review_decisions import Decision
from workbench.ui import keys, theme
from workbench.ui.actions import key_text
from workbench.ui.inspect.picture import sample
from workbench.ui.inspect.review.queue_model import ReviewFilter
from workbench.ui.inspect.review.tile import line_colour
from workbench.ui.widgets.elided import ElidedCombo, ElidedLabel
from workbench.ui.widgets.spin_boxes import double_spin_box

POOR = 0.5
ONE_LINE = 860  # px from which the upper bar has one line
NARROW = 100  # px of a combo box
TIGHT = 12  # px by which a button may be narrower than it would be: half of the space beside its words
SAMPLES = {"label": "your label", "miss": "missed", "prediction": "detection"}
ICONS = {
    Decision.TAKE: "mdi6.check",
    Decision.WRONG: "mdi6.close",
    Decision.IGNORE: "mdi6.eye-off-outline",
    Decision.KEEP: "mdi6.cancel",
}
WORDS = {
    Decision.TAKE: (("Take the prediction", "Take"), ("Add the prediction", "Add")),
    Decision.WRONG: (("My label was wrong", "Wrong"), ("Remove my box", "Remove")),
    Decision.IGNORE: (("Ignore region", "Ignore"),),
    Decision.KEEP: (("Not an object", "Nothing"), ("My label stands", "Stands")),
}
"""Each decision's name, and the short one for narrow windows; then those of taking a prediction beside which the box
stays, of "wrong" if the box would be removed, and of keeping if there is a box."""


class ReviewHeader(QFrame):
    """`changed(ReviewFilter)` when a person chose, `poor_changed` when the threshold for poor boxes changed."""

    changed = Signal(object)
    poor_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._kind = ElidedCombo("review-kind", "Kind of mistake", "The mistakes to list.")
        self._kind.addItem("All mistakes", None)
        for kind in ReviewKind:
            self._kind.addItem(PLURAL[kind].capitalize(), kind.value)
        self._label = ElidedCombo(
            "review-label", "Label", "Only mistakes with this label, as labelled or as predicted."
        )
        self._label.addItem("Any label", None)
        self._order = ElidedCombo("review-order", "Order of the mistakes", "The mistakes to show first.")
        for order in ReviewOrder:
            self._order.addItem(order.value.capitalize(), order.value)
        self._poor = double_spin_box(decimals=2, singleStep=0.05, minimum=0.5, maximum=0.95, value=POOR)
        self._poor.setObjectName("review-poor")
        self._poor.setPrefix("IoU below ")
        self._poor.setAccessibleName("Overlap below which a box is poor")
        self._poor.setToolTip("Boxes that overlap their prediction by less than this count as poor.")
        self._poor.setKeyboardTracking(False)
        self._count = QLabel()
        self._count.setObjectName("review-count")
        self.wide = QPushButton("Wide")
        self.wide.setObjectName("review-wide")
        self.wide.setCheckable(True)
        self.wide.setToolTip("Let the list take up the space of the images and the picture.")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, theme.GRID // 2, 0, theme.GRID // 2)
        self._grid.setSpacing(theme.GRID // 2)
        self._place()
        for combo in (self._kind, self._label, self._order):
            combo.currentIndexChanged.connect(self._chosen)
        self._poor.valueChanged.connect(self.poor_changed)
        self._poor.hide()

    def minimumSizeHint(self) -> QSize:
        """That of the narrow form: the wide one must not keep the pane wide."""
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._place()

    def _place(self) -> None:
        """In one line if there is room, else in three."""
        combos, ends = (self._kind, self._label, self._order, self._poor), (self._count, self.wide)
        is_wide = self.width() >= ONE_LINE
        for column, widget in enumerate(combos):
            self._grid.addWidget(widget, *((0, column) if is_wide else divmod(column, 2)))
        for column, widget in enumerate(ends):
            self._grid.addWidget(widget, *((0, len(combos) + 1 + column) if is_wide else (2, column)))
        for column in range(len(combos) + 3):
            self._grid.setColumnStretch(column, int(column == len(combos) if is_wide else column < 2))
        for combo, wide in ((self._kind, 190), (self._label, 130), (self._order, 180)):
            combo.setMinimumWidth(wide if is_wide else NARROW)

    @property
    def poor(self) -> float:
        return round(self._poor.value(), 2)

    def set_labels(self, labels: Sequence[Label]) -> None:
        """Offer these; the chosen one stays if it is among them."""
        known = [(self._label.itemText(row), self._label.itemData(row)) for row in range(1, self._label.count())]
        if known == [(label.name, label.id) for label in labels]:
            return
        chosen = self._label.currentData()
        self._label.blockSignals(True)
        while self._label.count() > 1:
            self._label.removeItem(1)
        for label in labels:
            self._label.addItem(label.name, label.id)
        self._label.setCurrentIndex(max(self._label.findData(chosen), 0))
        self._label.blockSignals(False)
        if self._label.currentData() != chosen:
            self._chosen()

    def show_counts(self, left: int, done: int, counts: Mapping[ReviewKind, int]) -> None:
        """`left` and `done` of what is listed; `counts` of each kind."""
        self._count.setText(f"{left:,} left of {left + done:,}")
        for row in range(1, self._kind.count()):
            kind = ReviewKind(self._kind.itemData(row))
            self._kind.setItemText(row, f"{PLURAL[kind].capitalize()} ({counts.get(kind, 0):,})")
        mistakes = sum(number for kind, number in counts.items() if kind is not ReviewKind.LABEL_ERROR)
        self._kind.setItemText(0, f"All mistakes ({mistakes:,})")

    @Slot()
    def _chosen(self) -> None:
        kind = self._kind.currentData()  # Qt keeps only the text of a StrEnum
        self._poor.setVisible(kind == ReviewKind.POOR_BOX.value)
        wanted = ReviewFilter(
            ReviewKind(kind) if kind else None, self._label.currentData(), ReviewOrder(self._order.currentData())
        )
        self.changed.emit(wanted)


class DecisionBar(QFrame):
    """A button for each decision, which says what it would do to the current item."""

    def __init__(self, actions: Mapping[Decision, QAction]) -> None:
        super().__init__()
        self.setObjectName("review-bar")
        self._actions = actions
        self._about = ElidedLabel()
        self._about.setObjectName("review-about")
        self._about.setProperty("role", "muted")
        self._samples = [_sample(of, word) for of, word in SAMPLES.items()]
        self._buttons = {decision: self._button(decision, action) for decision, action in actions.items()}
        self._words = {decision: words[0] for decision, words in WORDS.items()}  # long and short
        self._grid = QGridLayout()
        self._grid.setSpacing(theme.GRID // 2)
        legend = QWidget()
        self._head = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._head.setSpacing(theme.GRID // 2)
        self._head.addWidget(self._about, 1)
        self._head.addWidget(legend)
        lines = QVBoxLayout(self)
        lines.setContentsMargins(0, theme.GRID // 2, 0, theme.GRID // 2)
        lines.setSpacing(theme.GRID // 2)
        lines.addLayout(self._head)
        lines.addLayout(self._grid)
        row = QHBoxLayout(legend)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.GRID)
        row.addStretch(1)
        for one in self._samples:
            row.addWidget(one)
        self._place()
        for action in actions.values():
            action.changed.connect(self._place)  # its key, which the button names

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._place()

    @Slot()
    def _place(self) -> None:
        """The buttons in a row if there is room, else in two; with short names if not even that is enough."""
        needs, gap = [self._needed(decision) for decision in self._buttons], self._grid.spacing()
        is_wide = sum(needs) + len(needs) * (gap + TIGHT) <= self.width()
        is_short = not is_wide and 2 * max(needs) + gap > self.width()
        direction = QBoxLayout.Direction
        self._head.setDirection(direction.LeftToRight if is_wide else direction.TopToBottom)
        for number, (decision, button) in enumerate(self._buttons.items()):
            self._grid.addWidget(button, *((0, number) if is_wide else divmod(number, 2)))
            button.setText(_with_key(decision, self._words[decision][int(is_short)]))
        for column in range(5):
            self._grid.setColumnStretch(column, int(column == 4 if is_wide else column < 2))

    def _needed(self, decision: Decision) -> int:
        """The px of a button for any of its long names: no button moves when another item is shown."""
        button, metrics = self._buttons[decision], self.fontMetrics()
        around = button.sizeHint().width() - TIGHT - metrics.horizontalAdvance(button.text())
        return around + max(metrics.horizontalAdvance(_with_key(decision, long)) for long, _ in WORDS[decision])

    def _button(self, decision: Decision, action: QAction) -> QPushButton:
        button = QPushButton()
        button.setObjectName(f"review-{decision}")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the focus on the tiles
        theme.set_icon(button, ICONS[decision])
        button.clicked.connect(action.trigger)
        return button

    def show_item(self, item: ReviewItem | None, about: str) -> None:
        """`about`: the item in words."""
        self._about.setText(about)
        for decision, button in self._buttons.items():
            self._words[decision] = WORDS[decision][int(_is_special(decision, item))]
            button.setAccessibleName(self._words[decision][0])
            refusal = _refusal(decision, item) if item else ""
            words = refusal or review_decisions.words(item, decision) if item else self._actions[decision].text()
            button.setToolTip(words)
            there = item is not None and not refusal
            button.setEnabled(there)
            self._actions[decision].setEnabled(there or item is None)
        self._place()


def _with_key(decision: Decision, words: str) -> str:
    own = keys.of(f"review-{decision}")
    return f"{words}  ({key_text(own[0])})" if own else words


def _is_special(decision: Decision, item: ReviewItem | None) -> bool:
    """Whether the decision has its second name of WORDS."""
    if item is None or decision is Decision.IGNORE:
        return False
    if decision is Decision.TAKE:
        return item.apart
    return review_decisions.removes(item) if decision is Decision.WRONG else bool(item.box)


def _refusal(decision: Decision, item: ReviewItem) -> str:
    """Why the decision means nothing for this item, or "". Without a box "wrong" would be as taking; without a
    prediction, taking would remove the box, as "wrong" does, under words that promise the opposite."""
    if decision is Decision.TAKE and item.prediction is None:
        return "Nothing was found here, so there is no prediction to take."
    if decision is Decision.WRONG and not item.box:
        return "There is no label of yours here that could be wrong."
    return ""


def _sample(of: str, word: str) -> QWidget:
    whole = QWidget()
    row = QHBoxLayout(whole)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(theme.GRID // 2)
    line, words = QLabel(), QLabel(word)
    line.setPixmap(sample(line_colour(of), is_dashed=of == "prediction"))
    words.setProperty("role", "muted")
    row.addWidget(line)
    row.addWidget(words)
    return whole
