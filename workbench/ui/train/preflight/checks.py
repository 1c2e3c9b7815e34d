"""What is odd about the training set up in the form: a list below it, each entry with a link to its images."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from workbench.core.formatting import count
from workbench.training.checks.findings import INFO, STOPS, WARNING, Finding
from workbench.ui import theme
from workbench.ui.widgets.folding_title import FoldingTitle

ICONS = {
    STOPS: ("mdi6.close-octagon-outline", "error"),
    WARNING: ("mdi6.alert-outline", "warning"),
    INFO: ("mdi6.information-outline", "muted"),
}
WORDS = {STOPS: "Can’t start", WARNING: "Warning", INFO: "Note"}
OLD = ", before the last changes"
GAP = 2  # px above and below each row's text
ROOMY = 720  # px, the height of the page's side from which mere notes are open
HIGHEST = 96  # px, the list's maximum height, so that some of the form stays visible in a low window


class Checks(QWidget):
    """`images_requested(finding)`: show its images. Hidden if nothing is odd."""

    images_requested = Signal(object)  # Finding

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("train-checks")
        self._area = _Area()
        self._head = FoldingTitle("train-checks-head", self._area)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._head)
        column.addWidget(self._area)
        self._head.folded.connect(self._explain)
        self.found: tuple[Finding, ...] = ()
        self._is_old = False
        self._is_roomy = True
        self.hide()

    def show_findings(self, found: Sequence[Finding]) -> None:
        """List these, those that prevent a training first."""
        if tuple(found) == self.found:
            return
        self.found = tuple(found)
        self._area.fill([self._row(number, one) for number, one in enumerate(self.found)])
        self._say_how_many()
        self._open_if_due()
        self.setVisible(bool(self.found))

    def mark_old(self, is_old: bool) -> None:
        """Say whether labels or settings have changed since; during a training only what is queued is checked."""
        self._is_old = is_old
        self._say_how_many()

    def _say_how_many(self) -> None:
        numbers = {level: sum(one.level == level for one in self.found) for level in ICONS}
        words = [WORDS[STOPS]] if numbers[STOPS] else []
        words += [count(numbers[WARNING], "warning")] if numbers[WARNING] else []
        words += [count(numbers[INFO], "note")] if numbers[INFO] else []
        self._head.setText(", ".join(words) + OLD * self._is_old)

    @Slot(int)
    def fit(self, height: int) -> None:
        """Fold mere notes if the page's side is only this many px high, unless a person has opened them."""
        self._is_roomy = height >= ROOMY
        self._open_if_due()

    def _open_if_due(self) -> None:
        if not self._head.by_hand:
            self._head.set_open(self._is_roomy or any(one.level != INFO for one in self.found))
        self._explain()

    def _row(self, number: int, one: Finding) -> QWidget:
        row = QWidget()
        mark = QLabel(alignment=Qt.AlignmentFlag.AlignTop)
        mark.setObjectName(f"train-check-{number}-mark")
        mark.setToolTip(WORDS[one.level])
        name, colour = ICONS[one.level]
        theme.set_pixmap(mark, name, 16, colour)
        text = QLabel(one.text, wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
        text.setObjectName(f"train-check-{number}")
        text.setAccessibleName(f"{WORDS[one.level]}: {one.text}")
        text.setTextFormat(Qt.TextFormat.PlainText)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        line = QHBoxLayout(row)
        line.setContentsMargins(0, GAP, 0, GAP)
        line.setSpacing(theme.GRID // 2)
        line.addWidget(mark)
        line.addWidget(text, 1)
        if one.images:
            show = QToolButton(autoRaise=True)
            show.setObjectName(f"train-check-{number}-images")
            show.setAccessibleName(f"Show {count(len(one.images), 'image')}")
            show.setToolTip(f"Show {count(len(one.images), 'image')} on the Data page")
            theme.set_icon(show, "mdi6.image-search-outline")
            show.clicked.connect(lambda: self.images_requested.emit(one))
            line.addWidget(show, 0, Qt.AlignmentFlag.AlignTop)
        return row

    @Slot()
    def _explain(self) -> None:
        words = "" if self._head.is_open else "\n".join(one.text for one in self.found)
        self._head.setToolTip(words or "What is odd about this training: show or hide the list")


class _Area(QScrollArea):
    """As high as its rows, up to HIGHEST."""

    def __init__(self) -> None:
        super().__init__(widgetResizable=True)
        self.setObjectName("train-checks-list")
        self.setAccessibleName("What is odd about this training")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def fill(self, rows: Sequence[QWidget]) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(theme.GRID, 0, 0, 0)
        column.setSpacing(0)
        for row in rows:
            column.addWidget(row)
        column.addStretch(1)
        self.setWidget(inside)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        inside = self.widget()
        if inside is None:
            return QSize(0, 0)
        width = self.viewport().width()
        return QSize(width, self._to_a_line(inside, width))

    def _to_a_line(self, inside: QWidget, width: int) -> int:
        """At most HIGHEST, without cutting a line in two."""
        high = inside.heightForWidth(width)
        if high <= HIGHEST:
            return high
        column = inside.layout()
        assert column is not None
        inside.resize(width, high)
        column.activate()
        rows = [one for one in inside.children() if isinstance(one, QWidget)]
        cut = next((row for row in rows if row.geometry().bottom() >= HIGHEST), inside)
        top, line = cut.y() + GAP, cut.fontMetrics().lineSpacing()
        return top + max((HIGHEST - top) // line, 0) * line

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.sizeHint().height())

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self.updateGeometry()
