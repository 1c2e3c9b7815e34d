"""Which image comes next: of all in the project, or of those behind a number of the whole set."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Slot

from workbench.ui.session import Session
from workbench.ui.train.trainer_view.controls import Controls


class ImageNavigator(QObject):
    """Follows and chooses the session's image."""

    def __init__(self, session: Session, controls: Controls, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._controls = session, controls
        self._chosen: tuple[int, ...] = ()
        self._words = ""
        controls.stepped.connect(self.step)
        controls.all_requested.connect(self._through_all)

    def go_through(self, ids: Sequence[int], words: str) -> None:
        """Step through these images only; `words` describes them. None: through all."""
        self._chosen, self._words = tuple(ids), words
        if ids:
            self._session.select_image(ids[0])
        self.show()

    @Slot()
    def _through_all(self) -> None:
        self.go_through((), "")

    def _alive(self) -> tuple[int, ...]:
        document = self._session.document
        return tuple(id for id in self._chosen if document is not None and document.images().has(id))

    def neighbour(self, by: int) -> int:
        """The id of the next (1) or previous (-1) image; 0 for none."""
        document, id, chosen = self._session.document, self._session.image_id, self._alive()
        if document is None:
            return 0
        if chosen:
            row = chosen.index(id) + by if id in chosen else 0
            return chosen[row] if 0 <= row < len(chosen) else 0
        images = document.images()
        row = images.row_of(id) + by if images.has(id) else -1
        return images[row].id if 0 <= row < len(images) else 0

    @Slot(int)
    def step(self, by: int) -> None:
        following = self.neighbour(by)
        if following:
            self._session.select_image(following)

    def show(self, why_not: str = "") -> None:
        """`why_not`: the image is not trained on, as the end of a sentence."""
        image = self._session.image
        self._controls.show_image(image.path if image else "", why_not)
        self._controls.show_among(self._alive(), self._session.image_id, self._words)
        self._controls.show_ends(not self.neighbour(-1), not self.neighbour(1))
