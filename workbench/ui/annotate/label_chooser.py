"""What a label chosen on the Label page applies to: the selected boxes, the next ones, and the one just drawn.

In draw mode, a number key pressed between two boxes may mean either of them. Fast users press it for the next
one; if it relabelled the last, wrong labels would go unnoticed. So the first press is for the next boxes,
and a second press of the same number for the one just drawn, too: a number before each box never changes one.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from workbench.core.label_keys import label_keys
from workbench.core.project import Label
from workbench.ui.actions import with_keys
from workbench.ui.annotate.box_commands import BoxCommands
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.double_click import DoubleClick
from workbench.ui.annotate.hidden_labels import HiddenLabels
from workbench.ui.annotate.label_prompt import LabelPrompt
from workbench.ui.session import Session

_HINT = "Enter: for the next boxes. Shift+Enter: for the box just drawn, too"


class LabelChooser(QObject):
    """Chosen by E or a double click on a box, a click in the list, or a number key."""

    def __init__(
        self, session: Session, canvas: Canvas, commands: BoxCommands, prompt: LabelPrompt, hidden: HiddenLabels
    ) -> None:
        super().__init__(canvas)
        self._session, self._canvas, self._commands = session, canvas, commands
        self._prompt, self._hidden = prompt, hidden
        self._hint_was_shown = False
        DoubleClick(canvas, self.ask)
        self._for_next = 0  # the label last chosen here for the next boxes: its number again is for the one just drawn

    @Slot()
    def ask(self) -> None:
        """E: choose another label for the selected boxes, or the label for new ones."""
        if self._has_fresh:
            self._prompt.ask(self._use_for_next, shifted=self._use_for_fresh, hint=_HINT)
        else:
            self._prompt.ask(self._use)

    @Slot(int)
    def clicked(self, id: int) -> None:
        self._use_for_next(id)
        self._canvas.setFocus()

    def label_of_digit(self, digit: str) -> Label | None:
        """The label of a number key; if there is none, a message says so."""
        document = self._session.document
        label = label_keys(document.labels()).get(digit) if document else None
        if label is None:
            add = with_keys("Add labels at the right, or press {change-label}.")
            self._session.inform(f"No label has the key {digit}. {add}")
        return label

    def press(self, digit: str, label: Label) -> None:
        """A number key."""
        if label.id == self._session.label_id == self._for_next:
            self._use_for_fresh(label.id)
            return
        self._use_for_next(label.id, f"{digit} again")

    @property
    def _has_fresh(self) -> bool:
        return bool(self._canvas.affected and not self._canvas.selected)

    def _use(self, id: int, fresh: bool = False) -> None:
        """Apply the label to the selected boxes, if any, and to new ones."""
        self._hidden.show((id,))
        self._session.select_label(id)
        self._commands.relabel(id, fresh)

    def _use_for_next(self, id: int, key: str = "") -> None:
        """The same, and say which key gives it to the box just drawn; once, as it covers the picture."""
        self._use(id)
        self._for_next = id
        label, document = self._session.label, self._session.document
        if document is None or label is None or not self._has_fresh or self._hint_was_shown:
            return
        if all(box.label == id for box in self._canvas.affected_boxes):
            return
        self._hint_was_shown = True
        digits = (digit for digit, one in label_keys(document.labels()).items() if one.id == id)
        key = key or next(digits, with_keys("{change-label}, Shift+Enter"))
        self._session.inform(f"The next boxes are '{label.name}'. {key}: the box just drawn, too.")

    def _use_for_fresh(self, id: int) -> None:
        self._use(id, fresh=True)
