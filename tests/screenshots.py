"""Takes the README's pictures: every page of the real window, on a real project with a trained run.

    python tests/screenshots.py PROJECT OUT [--dark] [--size 1280x800]
    python tests/screenshots.py PROJECT resources/help/pictures --anchors

The second form takes the pictures of the help page about anchors; there the project is that of BCCD, imported.

Run it under a display (or `xvfb-run -s "-screen 0 1920x1200x24"`). The project must have a finished run; `workbench
demo` makes one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEventLoop, QPointF, Qt, QTimer
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QTabWidget, QWidget

from workbench.ui import theme
from workbench.ui.main_window import MainWindow

PATIENCE = 120.0  # seconds for a page to be ready


def main() -> None:
    arguments = _arguments()
    width, height = map(int, arguments.size.split("x"))
    app = QApplication([])
    theme.apply("dark" if arguments.dark else "light")
    window = MainWindow()
    window.resize(width, height)
    window.show()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if not arguments.anchors:
        _picture(window, arguments.out / "start.png")
    window.open(arguments.project)
    if arguments.anchors:
        _anchors_help(window, arguments.out)
    for name, ready in ({} if arguments.anchors else _PAGES).items():
        window.show_page(name)
        _wait(lambda ready=ready: ready(window))  # type: ignore[misc]
        _picture(window, arguments.out / f"{name}.png")
    window.close()
    app.processEvents()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--anchors", action="store_true")
    parser.add_argument("--size", default="1280x800")
    return parser.parse_args()


def _find(window: QWidget, kind: type[Any], name: str) -> Any:
    found = window.findChild(kind, name)
    assert found is not None, f"there is no {name}"
    return found


def _anchors(window: MainWindow) -> bool:
    return "nothing moves" in _find(window, QLabel, "anchors-progress").text()


def _anchors_help(window: MainWindow, out: Path) -> None:
    """The page, and its tables of scales for YOLOv3 and YOLOv1."""
    from workbench.ui.anchors.panel import Panel

    window.show_page("anchors")
    _wait(lambda: _anchors(window))
    _picture(window, out / "anchors.png", 960)
    _find(window, QTabWidget, "anchors-tabs").setCurrentIndex(2)
    panel = next(iter(window.findChildren(Panel)))
    chosen = _find(window, QComboBox, "anchors-detector")
    _wait(lambda: chosen.count() > 1)
    pictures = []
    for name in ("yolov3", "yolov1"):
        chosen.setCurrentIndex(chosen.findData(name))
        chosen.activated.emit(chosen.currentIndex())
        _wait(lambda: name in panel._needs and panel._background.is_idle())  # noqa: B023
        _run(500)
        pictures.append(panel.tabs.grab().toImage())
    both = QImage(sum(one.width() for one in pictures) + 24, pictures[0].height(), QImage.Format.Format_RGB32)
    both.fill(QColor("white"))
    painter, x = QPainter(both), 0
    for one in pictures:
        painter.drawImage(QPointF(x, 0), one)
        x += one.width() + 24
    painter.end()
    _save(both, out / "anchors-scales.png")


def _train(window: MainWindow) -> bool:
    return _find(window, QWidget, "train-detector").isEnabled()


def _inspect(window: MainWindow) -> bool:
    look = _find(window, QAbstractButton, "inspect-look")
    if look.isEnabled() and _find(window, QLabel, "inspect-ap50").text() == "–":
        look.click()
    return _find(window, QLabel, "inspect-ap50").text() != "–"


def _export(window: MainWindow) -> bool:
    return window.findChild(QAbstractButton, "export-format-onnx") is not None


_PAGES: dict[str, Callable[[MainWindow], bool]] = {
    "data": lambda window: True,
    "label": lambda window: True,
    "anchors": _anchors,
    "train": _train,
    "inspect": _inspect,
    "export": _export,
}


def _wait(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < end, "the page did not become ready"
        _run(100)


def _run(milliseconds: int) -> None:
    """Let the window live for a while: animations end, thumbnails arrive."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def _picture(window: MainWindow, file: Path, width: int = 0) -> None:
    """`width`: made so many pixels wide; 0: as it is."""
    _run(1500)
    image = window.grab().toImage()
    if width:
        image = image.scaledToWidth(width, Qt.TransformationMode.SmoothTransformation)
    _save(image, file)


def _save(image: QImage, file: Path) -> None:
    image.save(str(file))
    print(file)


if __name__ == "__main__":
    main()
