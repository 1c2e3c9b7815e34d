"""What a chosen label is for on the Label page: the selected boxes, the next ones, and the one that was just drawn.

While drawing goes on, a number key between two boxes may mean either of them. Who draws fast presses it for the next
one, and relabelling the last by it would make wrong labels that nobody sees. So the first press is for the next boxes,
and the same number again for the one just drawn, too: pressing a number before each box never changes one.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from workbench.core.project import Label
from workbench.ui.annotate.box_commands import BoxCommands
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.hidden_labels import HiddenLabels
from workbench.ui.annotate.label_asking import LabelAsking
from workbench.ui.annotate.label_keys import label_keys
from workbench.ui.session import Session

_HINT = "Enter: for the next boxes. Shift+Enter: for the box just drawn, too"


class LabelChoosing(QObject):
    """By E, a click in the list, or a number key."""

    def __init__(
        self, session: Session, canvas: Canvas, commands: BoxCommands, asking: LabelAsking, hidden: HiddenLabels
    ) -> None:
        super().__init__(canvas)
        self._session, self._canvas, self._commands = session, canvas, commands
        self._asking, self._hidden = asking, hidden
        self._was_told = False

    def ask(self) -> None:
        """E: another label for the selected boxes, or the label for new ones."""
        if self._has_fresh:
            self._asking.ask(self._use, shifted=self._use_for_fresh, hint=_HINT)
        else:
            self._asking.ask(self._use)

    @Slot(int)
    def clicked(self, id: int) -> None:
        self._use(id)
        self._canvas.setFocus()

    def of_number(self, digit: str) -> Label | None:
        """The label of a number key; if there is none, that is said."""
        document = self._session.document
        label = label_keys(document.labels()).get(digit) if document else None
        if label is None:
            self._session.inform(f"No label has the key {digit}. Add labels at the right, or press E.")
        return label

    def press(self, digit: str, label: Label) -> None:
        """A number key."""
        if label.id == self._session.label_id:
            self._use_for_fresh(label.id)
            return
        self._use(label.id)
        if self._has_fresh and not self._was_told:
            self._was_told = True  # once: it would lie over the picture at each change of labels
            self._session.inform(f"The next boxes are '{label.name}'. {digit} again: the box just drawn, too.")

    @property
    def _has_fresh(self) -> bool:
        return bool(self._canvas.meant and not self._canvas.selected)

    def _use(self, id: int, fresh: bool = False) -> None:
        """For the selected boxes if there are any, and for new ones."""
        self._hidden.show((id,))
        self._session.select_label(id)
        self._commands.relabel(id, fresh)

    def _use_for_fresh(self, id: int) -> None:
        self._use(id, fresh=True)
