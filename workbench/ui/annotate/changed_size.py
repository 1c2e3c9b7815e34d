"""A photograph whose file has another size than the project knows: it is said, and the size can be taken over."""

from __future__ import annotations

from functools import partial

from workbench.core import new_sizes
from workbench.core.folders.name_forms import short
from workbench.core.formatting import count
from workbench.ui.images.pictures import Picture
from workbench.ui.session import Session


class ChangedSize:
    """Tells it of each image when it is shown; once, although a preview comes before its picture."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._told = 0, 0, 0  # the image that it was told of last, and its file's size, as long as no other is shown

    def forget(self) -> None:
        """Another project is open, or another image shown."""
        self._told = 0, 0, 0

    def tell(self, picture: Picture | None) -> None:
        """`picture` of the session's image is shown; None: it is not read yet."""
        document, image = self._session.document, self._session.image
        if picture is None or document is None or image is None:
            return
        if not image.width or (picture.width, picture.height) == (image.width, image.height):
            self.forget()
            return
        found = image.id, picture.width, picture.height
        if found == self._told:
            return
        self._told = found
        resized = new_sizes.was_resized(image, picture.width, picture.height)
        then = "which scales its boxes." if resized else "and correct the boxes that no longer fit."
        self._session.inform(
            f"{short(image.name)} was {image.width} × {image.height} px when it was added, and its file is now"
            f" {picture.width} × {picture.height} px. Restore the old file, or take over the new size, {then}"
        )
        if not document.read_only:
            word = "Scale the boxes" if resized else "Take over the size"
            self._session.offered.emit(word, partial(self._take_over, image.id))

    def _take_over(self, id: int) -> None:
        document = self._session.document
        if document is None or not document.images().has(id):
            return
        edit = new_sizes.taking_over(document, (id,))
        if edit is None:
            name = short(document.image(id).name)
            self._session.inform(f"Nothing was taken over: {name} has its former size again, or can't be read now.")
        if edit is None or self._session.do(edit) is None:
            return
        self._session.select_image(id)  # another one may be shown by now
        image = document.image(id)
        boxes = count(len(document.boxes(id)), "box")
        self._session.inform(
            f"{short(image.name)} is {image.width} × {image.height} px now, with {boxes}. Undo takes it back."
        )
