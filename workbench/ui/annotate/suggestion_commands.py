"""Taking suggestions on the Label page: one or all, with another label, or reshaped by a drag; or refusing one."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from workbench.core.folders.name_forms import short
from workbench.core.project import XYXY, Box
from workbench.inference.suggesting.suggest import Suggestion
from workbench.ui.actions import with_keys
from workbench.ui.annotate import suggestion_painter
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.suggestion_answers import SuggestionAnswers
from workbench.ui.page_undo import WidgetUndoStack
from workbench.ui.session import Session


class SuggestionCommands(QObject):
    """Acts on the canvas's suggestions for `image`, which its owner sets; answers are kept in `answers`."""

    answered = Signal()  # fewer are left now

    def __init__(self, session: Session, canvas: Canvas, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._canvas = session, canvas
        self.image = 0
        self.answers = SuggestionAnswers()
        self._steps = WidgetUndoStack(session, canvas)
        canvas.corrected.connect(self.take_corrected)
        self.answered.connect(self._turn_to_suggestions)

    @Slot()
    def take_marked(self) -> None:
        """Enter: take the marked one."""
        one = suggestion_painter.marked_suggestion(self._canvas)
        self._take(() if one is None else (one,))

    @Slot()
    def take_all(self) -> None:
        """Shift+Enter: take all."""
        self._take(tuple(self._canvas.suggestions))

    def take_as(self, label: int) -> None:
        """A number key: take the one under the pointer with this label, unless the key is for a selected or new box."""
        one = suggestion_painter.suggestion_at_pointer(self._canvas)
        if one is not None and not self._canvas.selected and not self._canvas.is_drawing:
            self._draw((one,), (Box(0, self.image, label, one.xyxy),))

    @Slot(object, object)
    def take_corrected(self, one: Suggestion, xyxy: XYXY) -> None:
        """Take one dragged by a corner or side. It isn't selected, so that a number key is for the next suggestion."""
        self._draw((one,), (Box(0, self.image, one.label, xyxy),))

    def refuse_marked(self) -> bool:
        """Delete: never suggest the marked one again. False if a box is selected, or none is marked."""
        one = suggestion_painter.marked_suggestion(self._canvas)
        if one is None or self._canvas.selected or self._canvas.hidden:
            return False
        image = self.image
        self._refuse(image, one)
        self._steps.add(
            "Refuse suggestion", lambda: self._withdraw_refusal(image, one), lambda: self._go_and_refuse(image, one)
        )
        return True

    def _refuse(self, image: int, one: Suggestion) -> None:
        self.answers.refuse(image, one)
        self.answered.emit()

    def _withdraw_refusal(self, image: int, one: Suggestion) -> None:
        self.answers.withdraw_refusal(image, one)
        self._go_to(image, "Taken back")
        self.answered.emit()

    def _go_and_refuse(self, image: int, one: Suggestion) -> None:
        self._go_to(image, "Done again")
        self._refuse(image, one)

    def _go_to(self, image: int, words: str) -> None:
        """Show the image where undo or redo acts; if it was not the shown one, name it."""
        if image != self._session.image_id and self._session.document is not None:
            name = self._session.document.image(image).name
            self._session.inform(f"{words}: Refuse suggestion ({short(name)}).")
            self._session.select_image(image)

    @Slot()
    def _turn_to_suggestions(self) -> None:
        """Stop keys from acting on the box just drawn."""
        self._canvas.select(self._canvas.selected)

    def _take(self, some: tuple[Suggestion, ...]) -> None:
        if not some:
            self._session.inform(with_keys("There is no suggestion here. {suggest} shows those of a trained run."))
        elif self._canvas.hidden:
            self._session.inform(with_keys("The suggestions are hidden, as the boxes are: {hide-boxes} shows them."))
        self._draw(some, tuple(Box(0, self.image, one.label, one.xyxy) for one in some))

    def _draw(self, some: tuple[Suggestion, ...], boxes: tuple[Box, ...]) -> None:
        """Turn these suggestions into these boxes, one each."""
        if some and self.image and not self._canvas.hidden:  # nobody takes what is invisible
            drawn = self._session.draw(boxes)
            if drawn is not None:
                self.answers.keep(some, drawn.added_boxes)
                self._canvas.taken = drawn.added_boxes[0].id if len(some) == 1 else 0
                self.answered.emit()  # the edit was shown with those of a changed label or place still there
