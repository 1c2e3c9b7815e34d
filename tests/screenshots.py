"""Takes the pictures of README and help: the real window, on a real project with a trained run.

    python tests/screenshots.py PROJECT OUT [--image NAME] [--dark] [--size 1280x800]
    python tests/screenshots.py PROJECT resources/help/pictures --anchors
    python tests/screenshots.py PROJECT resources/help/pictures --round [--image NAME]
    python tests/screenshots.py PROJECT OUT --pages [--dark]

The first form: every page. The second: the help page about anchors; there the project is that of BCCD, imported. The
third: suggestions, the tabs of the Inspect page, two runs compared, a training that goes on from a run; the project
must have two finished runs, and gets a third one: give it a copy. The fourth: every help page as the window shows it.

Run it under a display (or `xvfb-run -s "-screen 0 1920x1200x24"`). The project must have a finished run; `workbench
demo` makes one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from PIL import Image as Picture
from PySide6.QtCore import QEventLoop, QPointF, Qt, QTimer
from PySide6.QtGui import QAction, QColor, QImage, QPainter
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QTabWidget, QTextBrowser, QWidget

from workbench.ui import theme
from workbench.ui.background import Background
from workbench.ui.commands import HELP
from workbench.ui.images import thumbnails
from workbench.ui.window.main_window import MainWindow

PATIENCE = 300.0  # seconds for a page to be ready
WIDE = 960  # px of a picture on a help page
_GROUNDS = 64  # colours that a picture keeps as they are


def main() -> None:
    arguments = _arguments()
    width, height = map(int, arguments.size.split("x"))
    app = QApplication([])
    theme.apply("dark" if arguments.dark else "light")
    window = MainWindow()
    window.resize(width, height)
    window.show()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if not (arguments.anchors or arguments.round or arguments.pages):
        _picture(window, arguments.out / "start.png")
    window.open(arguments.project)
    _wait(lambda: window.session.document is not None)
    if arguments.anchors:
        _anchors_help(window, arguments.out)
    elif arguments.round:
        _round(window, arguments.out, arguments.image)
    elif arguments.pages:
        _help_pages(window, arguments.out)
    else:
        _all_pages(window, arguments.out, arguments.image)
    window.close()
    app.processEvents()


def _all_pages(window: MainWindow, out: Path, image: str) -> None:
    document = window.session.document
    assert document is not None
    window.session.select_image(next(one.id for one in document.images() if image in one.path))
    for name, ready in _PAGES.items():
        window.show_page(name)
        _wait(lambda ready=ready: ready(window))  # type: ignore[misc]
        _run(500)  # the visible thumbnails are requested
        _wait(lambda: all(work.is_idle() for work in thumbnails.of(window.session).findChildren(Background)))
        _picture(window, out / f"{name}.png")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--anchors", action="store_true")
    parser.add_argument("--round", action="store_true")
    parser.add_argument("--pages", action="store_true")
    parser.add_argument(
        "--image", default="", help="A part of the name of the image that is shown; default: the first one."
    )
    parser.add_argument("--size", default="1280x800")
    return parser.parse_args()


def _find(window: QWidget, kind: type[Any], name: str) -> Any:
    found = window.findChild(kind, name)
    assert found is not None, f"there is no {name}"
    return found


def _label(window: MainWindow) -> bool:
    """With the newest run's suggestions."""
    suggest = _find(window, QAction, "action-suggest")
    if not suggest.isChecked():
        suggest.trigger()
    told = _find(window, QLabel, "suggest-words").text()
    return any(words in told for words in ("Enter", "Nothing", "No run"))


def _anchors(window: MainWindow) -> bool:
    return "nothing moves" in str(_find(window, QLabel, "anchors-progress").text())


def _anchors_help(window: MainWindow, out: Path) -> None:
    """The page, and its tables of scales for YOLOv3 and YOLOv1."""
    from workbench.ui.anchors.result_panel import ResultPanel

    window.show_page("anchors")
    _wait(lambda: _anchors(window))
    _picture(window, out / "anchors.png", 960)
    _find(window, QTabWidget, "anchors-tabs").setCurrentIndex(2)
    panel = next(iter(window.findChildren(ResultPanel)))
    chosen = _find(window, QComboBox, "anchors-detector")
    _wait(lambda: chosen.count() > 1)
    pictures = []
    for name in ("yolov3", "yolov1"):
        chosen.setCurrentIndex(chosen.findData(name))
        chosen.activated.emit(chosen.currentIndex())
        _wait(lambda: name in panel._needs and panel._background.is_idle())  # noqa: B023
        _run(500)
        pictures.append(panel.tabs.grab().toImage())
    _save(_side_by_side(pictures), out / "anchors-scales.png")


def _round(window: MainWindow, out: Path, image: str) -> None:
    """Suggestions, the run on the Inspect page, and the next training."""
    document = window.session.document
    assert document is not None
    shown = next(one.id for one in document.images() if image in one.path)
    window.session.select_image(shown)
    window.show_page("label")
    _wait(lambda: _label(window))
    _picture(window, out / "suggestions.png", WIDE)
    window.show_page("inspect")
    _wait(lambda: _inspect(window))
    window.session.select_image(shown)
    _picture(window, out / "inspect.png", WIDE)
    tabs = _find(window, QTabWidget, "inspect-tabs")
    titles = [tabs.tabText(row) for row in range(tabs.count())]
    pictures = []
    for title in ("Curves", "Confusion", "Errors"):
        tabs.setCurrentIndex(titles.index(title))
        _run(3000)
        pictures.append(tabs.grab().toImage())
    wide = _side_by_side(pictures).scaledToWidth(WIDE, Qt.TransformationMode.SmoothTransformation)
    _save(wide, out / "inspect-tabs.png")
    tabs.setCurrentIndex(titles.index("Review"))
    _run(3000)
    _picture(window, out / "review.png", WIDE)
    _compare(window, tabs, titles.index("Compare"))
    _picture(window, out / "compare.png", WIDE)
    window.show_page("export")
    _wait(lambda: _export(window))
    _find(window, QAbstractButton, "export-start").click()
    _wait(lambda: "written and verified" in _find(window, QLabel, "export-words").text())
    _picture(window, out / "export.png", WIDE)
    window.session.select_image(shown)
    window.show_page("label")
    _find(window, QAction, "action-train-and-suggest").trigger()
    _wait(lambda: ": epoch " in _find(window, QLabel, "loop-words").text())
    _picture(window, out / "suggesting.png", WIDE)
    _find(window, QAbstractButton, "loop-stop").click()
    _wait(lambda: "stopped" in _find(window, QLabel, "loop-words").text())


def _compare(window: MainWindow, tabs: QTabWidget, tab: int) -> None:
    """The newest run but one, compared with the newest."""
    tabs.setCurrentIndex(0)  # its numbers tell _inspect that the evaluation is done
    mine, other = (_find(window, QComboBox, name) for name in ("inspect-run", "inspect-compare-run"))
    newest = mine.itemText(0).partition(" ")[0]
    mine.setCurrentIndex(1)
    _wait(lambda: _inspect(window))
    tabs.setCurrentIndex(tab)
    _wait(lambda: other.findText(newest) > 0)
    other.setCurrentIndex(other.findText(newest))
    look = _find(window, QAbstractButton, "inspect-compare-look")
    if look.isVisible() and look.text() == "Look":  # else it has begun
        look.click()
    _wait(lambda: "Whiskers:" in _find(window, QLabel, "inspect-compare-words").text())
    _run(8000)  # the intervals arrive a moment later


def _help_pages(window: MainWindow, out: Path) -> None:
    """Each from top to bottom, a screen at a time."""
    for name in HELP:
        window.show_help(name)
        _run(500)
        text = _find(window, QTextBrowser, "help-text")
        bar, part = text.verticalScrollBar(), 0
        while True:
            _save(text.grab().toImage(), out / f"{name}-{part}.png")
            if bar.value() == bar.maximum():
                break
            bar.setValue(bar.value() + text.viewport().height() - 40)
            _run(100)
            part += 1


def _side_by_side(pictures: list[QImage]) -> QImage:
    both = QImage(
        sum(one.width() for one in pictures) + 24 * (len(pictures) - 1),
        pictures[0].height(),
        QImage.Format.Format_RGB32,
    )
    both.fill(QColor("white"))
    painter, x = QPainter(both), 0
    for one in pictures:
        painter.drawImage(QPointF(x, 0), one)
        x += one.width() + 24
    painter.end()
    return both


def _train(window: MainWindow) -> bool:
    return bool(_find(window, QWidget, "train-detector").isEnabled())


def _inspect(window: MainWindow) -> bool:
    look = _find(window, QAbstractButton, "inspect-look")
    if look.isEnabled() and _find(window, QLabel, "inspect-ap50").text() == "–":
        look.click()
    return bool(_find(window, QLabel, "inspect-ap50").text() != "–")


def _export(window: MainWindow) -> bool:
    return window.findChild(QAbstractButton, "export-format-onnx") is not None


_PAGES: dict[str, Callable[[MainWindow], bool]] = {
    "data": lambda window: True,
    "label": _label,
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
    """Let the event loop run for a while: animations end, thumbnails arrive."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def _picture(window: MainWindow, file: Path, width: int = 0) -> None:
    """`width`: scaled to this many pixels; 0: as it is."""
    _run(1500)
    image = window.grab().toImage()
    if width:
        image = image.scaledToWidth(width, Qt.TransformationMode.SmoothTransformation)
    _save(image, file)


def _save(image: QImage, file: Path) -> None:
    """With 256 colours, a third of the bytes: the commonest, so that white stays white, and a spread of others."""
    image.save(str(file))
    with Picture.open(file) as saved:
        whole = saved.convert("RGB")
    counted = sorted(whole.getcolors(whole.width * whole.height) or [], reverse=True)[:_GROUNDS]
    rest = whole.quantize(256 - len(counted), Picture.Quantize.FASTOCTREE).getpalette() or []
    chosen = Picture.new("P", (1, 1))
    chosen.putpalette([part for _, colour in counted for part in cast(tuple[int, int, int], colour)] + rest)
    few = whole.quantize(palette=chosen, dither=Picture.Dither.NONE)
    few.save(file, optimize=True)
    print(file)


if __name__ == "__main__":
    main()
