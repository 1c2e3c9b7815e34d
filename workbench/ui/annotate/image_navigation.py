"""Moves from the shown image to another listed one, and sets the state of the one it leaves."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject

from workbench.core.folders.name_forms import short
from workbench.core.formatting import count
from workbench.core.project import FINISHED, State
from workbench.ui.annotate.box_commands import BoxCommands
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.images import unread_images
from workbench.ui.images.images_model import ImagesModel, Order, listed_ids
from workbench.ui.session import Session

_LASTING = (Order.NAME, Order.DATE, Order.LATEST, Order.NEWEST)
"""Orders that do not change as images are labelled."""


class ImageNavigation(QObject):
    """`images` is the list of images."""

    def __init__(
        self, session: Session, canvas: Canvas, images: ImagesModel, commands: BoxCommands, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session, self._canvas, self._images, self._commands = session, canvas, images, commands

    def go(self, step: int) -> None:
        """Go to the next (1) or previous (-1) listed image."""
        following = self._images.nearest(self._session.image_id, step)
        if following:
            self._session.select_image(following)
        elif not self._images.rowCount():
            self._session.inform("No image fits the filter at the left. Change it, or choose 'Any' in its fields.")
        else:
            end = "last" if step > 0 else "first"
            self._session.inform(f"This is the {end} image in the list.")

    def go_unlabelled(self, step: int) -> None:
        """Go to the next (1) or previous (-1) listed image that is unlabelled; if there is none, to one in work."""
        following = self._unfinished(self._session.image_id, step)
        if following:
            self._session.select_image(following)
        else:
            self._session.inform("No other listed image is unlabelled or in work.")

    def _unfinished(self, id: int, step: int) -> int:
        """Images in work come last: whoever never marks one as done has many of them."""
        return self._images.next_in_state(id, step, State.UNLABELLED) or self._images.next_in_state(
            id, step, State.IN_WORK
        )

    def copy_previous_boxes(self) -> None:
        """Copy the boxes of the previous image, also if it has left the list since, as it was marked done."""
        before = self._before(self._session.image_id)
        if before:
            self._commands.copy_boxes_of(before)
        else:
            self._session.inform("This is the first image: there is no previous one to copy boxes from.")

    def _before(self, id: int) -> int:
        """The image before this one in the list as it would be whatever has been labelled; 0 for none."""
        document, listed = self._session.document, self._images.filter
        wanted = replace(listed, state=None, unfinished=False, empty=False, fewest=None, most=None)
        if document is None or wanted == listed or listed.order not in _LASTING:
            return self._images.neighbour(id, -1)
        ids = listed_ids(document, wanted).tolist()
        if id not in ids:
            return self._images.neighbour(id, -1)
        row = ids.index(id)
        return ids[row - 1] if row else 0

    def finish(self, state: State) -> None:
        """Mark the image and go to the next. *Done* without boxes says that there is nothing here to find.

        An image whose picture is still to come is not marked: nobody has seen what is in it.
        """
        image = self._session.image
        if image is None:
            return
        if self._canvas.picture is None and not self._canvas.sentence:
            name = short(image.name)
            self._session.inform(f"{name} was not marked {state}: it is still being read. Do it once you see it.")
            return
        following = self._images.neighbour(image.id, 1)  # before the filter drops this one
        if not unread_images.set_state(self._session, (image.id,), state):
            return
        following = following or self._unfinished(image.id, 1)  # those higher in the list
        if following:
            self._session.select_image(following)
        elif not unread_images.of(self._session).has(image.id):
            self._session.inform(f"Marked {state}. {self._what_is_left()}")

    def _what_is_left(self) -> str:
        """Say what remains after the last image of the list."""
        document = self._session.document
        assert document is not None
        images = document.images()
        left = sum(int(images.in_state(state).sum()) for state in State if state not in FINISHED)
        if self._images.rowCount() == len(images) or not left:
            return "This was the last image."
        others = f"{count(left, 'image')} that the filter leaves out {'is' if left == 1 else 'are'}"
        return f"This was the last image of this list; {others} not done yet."
