"""The named colours of the two themes. Text has a contrast of at least 4.5:1 (tests/ui/test_theme.py)."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QColor


@dataclass(frozen=True, slots=True)
class Colours:
    """The named colours of one theme, as #rrggbb."""

    window: str  # the background of everything
    surface: str  # lists, fields, the page
    raised: str  # buttons, pop-ups
    hover: str
    text: str
    muted: str  # less important text
    border: str
    accent: str  # selection, links, progress: the only accent
    on_accent: str  # text on the accent
    ok: str
    warning: str
    error: str
    canvas: str  # around the picture
    plot: str  # background of plots
    # How detections compare with labels: fixed meanings on the canvas and in plots, each named by a legend.
    hit: str
    miss: str
    false_alarm: str


LIGHT = Colours(
    window="#f3f4f6", surface="#ffffff", raised="#fafbfc", hover="#e6e9ee", text="#1b1f24", muted="#57606a",
    border="#cdd3da", accent="#0b5fc0", on_accent="#ffffff", ok="#1a7037", warning="#855300", error="#b9242b",
    canvas="#d9dde2", plot="#ffffff", hit="#00724f", miss="#ac4600", false_alarm="#a0307c",
)  # fmt: skip
DARK = Colours(
    window="#1b1e23", surface="#22262c", raised="#2b3037", hover="#343a43", text="#e7eaee", muted="#a6afba",
    border="#3c434c", accent="#62adff", on_accent="#0b1420", ok="#4cc38a", warning="#e3ad52", error="#ff8a80",
    canvas="#14161a", plot="#22262c", hit="#3fc79a", miss="#ff9a4d", false_alarm="#e58fc6",
)  # fmt: skip


def faint(c: Colours) -> str:
    """For disabled text and icons, as #aarrggbb: they lie on backgrounds of several colours."""
    made = QColor(c.muted)
    made.setAlpha(150)
    return made.name(QColor.NameFormat.HexArgb)


def tint(c: Colours) -> str:
    """The background of selected items, as #aarrggbb."""
    made = QColor(c.accent)
    made.setAlpha(36)
    return made.name(QColor.NameFormat.HexArgb)
