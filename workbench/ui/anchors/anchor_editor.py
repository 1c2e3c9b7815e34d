"""What users do with anchors: drag, type, look at other sets, undo that, keep sets, use them for training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from workbench import anchors
from workbench.anchors import SizePool
from workbench.core import edits
from workbench.core.project import AnchorSet
from workbench.ui.anchors.computation import AnchorChoices
from workbench.ui.anchors.playback import Playback
from workbench.ui.anchors.provenance import ShownAnchors, moved
from workbench.ui.anchors.result_panel import ResultPanel
from workbench.ui.anchors.sets import CLUSTERED, EDITED, KEPT, SHOWN, SetEntry, all_sets, kept_sets, to_setting
from workbench.ui.anchors.sizes_plot import SizesPlot
from workbench.ui.page_undo import WidgetUndoStack
from workbench.ui.session import Session

MOVED = "Moved by hand"


@dataclass(frozen=True, slots=True)
class _Edited:
    """The anchors last moved by hand, to be viewed again; in the order of the table, unlike a set's."""

    shown: ShownAnchors
    choices: AnchorChoices

    def as_set(self) -> AnchorSet:
        return self.shown.as_set(self.choices, self.shown.source)

    def at(self, px: int) -> NDArray[np.float64]:
        """The same anchors for another input side."""
        return self.shown.step.centres * (px / self.choices.px)


class AnchorEditor(QObject):
    """`show_requested(ShownAnchors, fit)`: show these; `fit`: all anchors in view. `settled`: a change is complete.

    `set_shown` tells it what the page shows. `reported(words)`: the outcome of an action. Moves are undone before the
    project's edits while `page` is visible.
    """

    show_requested = Signal(object, bool)
    settled = Signal()
    reported = Signal(str)

    def __init__(
        self, session: Session, panel: ResultPanel, plot: SizesPlot, playback: Playback, page: QWidget
    ) -> None:  # fmt: skip
        super().__init__(page)
        self._session, self._panel, self._playback = session, panel, playback
        self._shown: ShownAnchors | None = None
        self._edited: _Edited | None = None
        self._dragged_from: ShownAnchors | None = None
        self._choices: AnchorChoices | None = None
        self._source = ""
        self._pool: SizePool | None = None
        self._history = WidgetUndoStack(session, page)
        plot.dragged.connect(self._drag)
        plot.dropped.connect(self._drop)
        panel.table.typed.connect(self._type)
        panel.sets.chosen.connect(self._look_at)
        panel.sets.keep_requested.connect(self._keep)
        panel.sets.remove_requested.connect(self._remove)
        panel.use.clicked.connect(self.use)
        panel.published.clicked.connect(self._use_published)

    def set_shown(self, shown: ShownAnchors, choices: AnchorChoices, source: str, pool: SizePool | None) -> None:
        """What the page shows now, its provenance, and what anchors are judged by."""
        self._shown, self._choices, self._source, self._pool = shown, choices, source, pool

    def forget(self) -> None:
        """Another project is open, or it has no boxes."""
        self._edited = None
        self.forget_shown()

    def forget_shown(self) -> None:
        """Others are being computed: nothing can be undone, but the moved anchors can still be compared with them."""
        self._shown = self._dragged_from = self._pool = None
        self._history.forget()

    def forget_moves(self) -> None:
        """The film goes on: nothing can be undone, but the moved anchors can still be viewed."""
        self._history.forget()

    # --- moving anchors ---

    @Slot(int, float, float)
    def _drag(self, number: int, width: float, height: float) -> None:
        """Everything that depends on the anchor is updated at each move."""
        before = self._shown
        if self._move(number, width, height) and self._dragged_from is None:
            self._dragged_from = before

    @Slot()
    def _drop(self) -> None:
        before, self._dragged_from = self._dragged_from, None
        if before is not None and self._shown is not None:
            self._add_step("Move an anchor", before, self._shown)
            self.settled.emit()

    @Slot(int, float, float)
    def _type(self, number: int, width: float, height: float) -> None:
        before = self._shown
        if self._move(number, width, height):
            assert before is not None
            assert self._shown is not None
            self._add_step("Type an anchor's side", before, self._shown)
            self.settled.emit()

    def _move(self, number: int, width: float, height: float) -> bool:
        if self._shown is None or self._pool is None or number >= len(self._shown.step.centres):
            return False
        centres = self._shown.step.centres.copy()
        centres[number] = width, height
        after = replace(self._rated(self._shown, centres), source=moved(self._source), hand=MOVED)
        assert self._choices is not None
        self._edited = _Edited(after, self._choices)
        self.show_requested.emit(after, False)
        return True

    def _rated(self, shown: ShownAnchors, centres: NDArray[np.float64]) -> ShownAnchors:
        """With these centres."""
        assert self._pool is not None
        return replace(shown, step=anchors.rate_anchors(self._pool, centres))

    def _add_step(self, title: str, before: ShownAnchors, after: ShownAnchors) -> None:
        self._history.add(title, partial(self._bring_back, before), partial(self._bring_back, after))

    def _bring_back(self, shown: ShownAnchors) -> None:
        """Show it again, judged by the current boxes."""
        if self._pool is None:
            return
        self.show_requested.emit(self._rated(shown, shown.step.centres), True)
        self.settled.emit()

    @Slot(object)
    def _look_at(self, entry: SetEntry) -> None:
        if entry.key == (False, SHOWN) or self._pool is None or self._shown is None:
            return
        if entry.key == (False, CLUSTERED):
            self._playback.show_end()
            return
        before = self._shown
        if entry.key == (False, EDITED) and self._edited is not None and self._choices is not None:
            after = self._rated(self._edited.shown, self._edited.at(self._choices.px))
            after = replace(after, resize=entry.resize, tiles=entry.tiles)  # the page's choices may be others by now
        else:
            rated = anchors.rate_anchors(self._pool, entry.sizes)
            hand = f"{entry.name[:1].upper()}{entry.name[1:]}"
            after = ShownAnchors(rated, entry.source, hand, entry.resize, entry.tiles)
        if np.array_equal(after.step.centres, before.step.centres):
            return  # the second signal of a double click: there is nothing to undo
        self.show_requested.emit(after, True)
        self._add_step(f"Look at {entry.name}", before, after)
        self.settled.emit()

    # --- sets ---

    def show_sets(self, fit: AnchorSet | None, choices: AnchorChoices, pool: SizePool | None) -> None:
        """`fit`: the film's last step, if there is one."""
        document = self._session.document
        if document is None:
            return
        shown, used = self._as_set(), document.anchors()
        moved_last = self._edited
        edited = moved_last.as_set() if moved_last is not None else None
        entries = all_sets(choices.px, shown, fit, edited, used, kept_sets(document.setting(KEPT)))
        self._panel.sets.show_sets(entries, pool, shown)
        self._panel.show_used(used, self._session.anchorless)

    def _as_set(self) -> AnchorSet | None:
        if self._shown is None or self._choices is None:
            return None
        return self._shown.as_set(self._choices, self._source)

    @Slot()
    def use(self) -> None:
        """Use the shown anchors for training from now on."""
        chosen = self._as_set()
        if chosen is not None:
            self._session.do(edits.ChangeSetting("anchors", chosen.to_setting()))
            self.reported.emit(f"Trainings use these {len(chosen.sizes)} anchors from now on.")

    @Slot()
    def _use_published(self) -> None:
        self._session.do(edits.ChangeSetting("anchors", None))

    @Slot(str)
    def _keep(self, name: str) -> None:
        document, chosen = self._session.document, self._as_set()
        if document is not None and chosen is not None:
            others = [one for one in kept_sets(document.setting(KEPT)) if one[0] != name]
            self._session.do(edits.ChangeSetting(KEPT, to_setting([*others, (name, chosen)])))

    @Slot(str)
    def _remove(self, name: str) -> None:
        document = self._session.document
        if document is not None:
            others = [one for one in kept_sets(document.setting(KEPT)) if one[0] != name]
            self._session.do(edits.ChangeSetting(KEPT, to_setting(others) or None))
