"""Saves plots as an image, and their numbers as CSV: what was visible when a person asked for it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPoint, QRectF, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QAbstractButton, QFileDialog, QWidget

from workbench.core.files import atomic_write, safe_name
from workbench.ui import preferences, theme
from workbench.ui.train.plots.train_plot import CSV, PNG

SCALE = 2  # image pixels per screen pixel: it is also viewed on paper and on larger screens
HEAD = 4 * theme.GRID  # px for the title
FILTERS = {PNG: "Pictures (*.png)", CSV: "Tables (*.csv)"}
_KEPT = "train/save-folder"


def picture(widget: QWidget, title: str) -> bytes:
    """`widget` as PNG, without its buttons and the frame that tells where the keyboard is, below a title."""
    focused = next((one for one in (widget, *widget.findChildren(QWidget)) if one.hasFocus()), None)
    if focused is not None:
        focused.clearFocus()
    buttons = [button for button in widget.findChildren(QAbstractButton) if not button.isHidden()]
    for button in buttons:
        button.hide()
    image = QImage(widget.width() * SCALE, (widget.height() + HEAD) * SCALE, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(SCALE)
    image.fill(theme.colour("window"))
    painter = QPainter(image)
    painter.setPen(theme.colour("text"))
    painter.setFont(theme.font(theme.BODY, bold=True))
    room = QRectF(theme.GRID, 0, widget.width() - 2 * theme.GRID, HEAD)
    cut = painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideMiddle, int(room.width()))
    painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), cut)
    painter.end()
    QWidget.render(widget, image, QPoint(0, HEAD))  # a QGraphicsView's own is another one
    for button in buttons:
        button.show()
    if focused is not None:
        focused.setFocus()
    return _png(image)


def _png(image: QImage) -> bytes:
    held = QByteArray()
    buffer = QBuffer(held)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(held.data())


def ask(parent: QWidget, name: str, kind: str) -> QFileDialog:
    """A dialog for where to save a file of `kind`; the caller opens it, and `fileSelected` gives the answer.

    It asks before it replaces a file, and is deleted when closed.
    """
    dialog = QFileDialog(parent, "Save", str(preferences.get(_KEPT, str(Path.home()))), FILTERS[kind])
    dialog.setObjectName("train-save")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(kind)
    dialog.selectFile(f"{safe_name(name, 'plot')}.{kind}")
    return dialog


def save(file: Path, data: bytes | str) -> None:
    """Write atomically. WorkbenchError if the disk is full or the folder can't be written."""
    atomic_write(file, data)
    preferences.put(_KEPT, str(file.parent))
