"""Pages are built from the outside in: whatever is added with much within it costs each of these a new style."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget

from tests.ui.window_driver import Open


class Restyled(QObject):
    """Counts how often a widget is told of another style, as with each new parent that it or one around it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.StyleChange
        return False


@pytest.mark.parametrize(
    ("page", "most"),  # of each widget, in the mean; built from the inside out: 7, 6.3, 9.4, 5.7, 5.6 and 6.9
    [("data", 4.5), ("label", 4.0), ("anchors", 8.0), ("export", 5.2), ("inspect", 4.5), ("train", 5.7)],
)
def test_what_is_on_a_page_is_told_of_another_style_a_few_times_only(
    open_window: Open, project: Path, page: str, most: float
) -> None:
    window = open_window()
    if page != "data":  # where a project without boxes begins
        window.open(project)
    restyled = Restyled()
    QApplication.instance().installEventFilter(restyled)
    if page == "data":
        window.open(project)
    else:
        window.show_page(page)
    QApplication.instance().removeEventFilter(restyled)
    widgets = len(window.findChild(QWidget, f"page-{page}").findChildren(QWidget))
    assert widgets > 100
    assert restyled.count < most * widgets
