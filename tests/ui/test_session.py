"""The session: what all pages follow."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QApplication

from tests.ui.window_driver import write_photographs
from workbench.core.document import Document
from workbench.core.edits import RemoveImages
from workbench.ui.session import Session


def test_what_comes_after_an_image_that_went_is_asked_when_all_lists_have_followed(
    qapp: QApplication, tmp_path: Path
) -> None:
    """It was whatever a list had set by then, which had to follow the edit before."""
    write_photographs(tmp_path / "photographs", ["a.png", "b.png", "c.png"])
    session, happened = Session(), list[str]()
    session.open(Document.create(tmp_path / "project", tmp_path / "photographs"))
    assert session.document is not None
    first, second, last = (image.id for image in session.document.images())
    following = {first: last}

    def after(gone: int) -> int:
        happened.append(f"asked after {gone}")
        return following.get(gone, 0)

    session.add_image_order(lambda: False, lambda gone: second if gone == first else 0)
    session.add_image_order(lambda: True, after)
    session.edited.connect(lambda _: happened.append("followed"))
    session.do(RemoveImages((first,)))
    assert happened == ["followed", f"asked after {first}"]
    assert session.image_id == last, "the list in sight was asked"
    session.do(RemoveImages((last,)))
    assert session.image is not None
    assert session.image.name == "b.png", "the first, if no list has an answer"
    session.close()
