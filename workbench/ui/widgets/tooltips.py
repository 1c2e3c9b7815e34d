"""Tooltips with names that people gave: shown as they are written, also those that Qt would take for HTML."""

from __future__ import annotations

from PySide6.QtGui import Qt


def plain(words: str) -> str:
    """A tooltip that shows `words` letter by letter, with their line breaks: a label may be called <b>."""
    return Qt.convertFromPlainText(words) if Qt.mightBeRichText(words) else words
