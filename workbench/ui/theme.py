"""How the window looks: Qt Fusion with our own palette and style sheet, light and dark, three font sizes, one icon set.

Colours have names (workbench/ui/colours.py); call `colours()` while painting, so that a theme change shows at once.
Distances are multiples of GRID.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QGuiApplication, QIcon, QPalette, QPixmap
from PySide6.QtWidgets import QApplication, QLabel

from workbench.ui import icons
from workbench.ui.colours import DARK, LIGHT, Colours, faint
from workbench.ui.style_sheet import style_sheet

if TYPE_CHECKING:
    from PySide6.QtGui import QAction
    from PySide6.QtWidgets import QAbstractButton

GRID = 8
SMALL, BODY, TITLE = 0.9, 1.0, 1.6
"""The three font sizes, as factors of the system's."""

MODES = ("system", "light", "dark")


class _Theme(QObject):
    changed = Signal()  # after palette and icons have changed

    def __init__(self) -> None:
        super().__init__()
        self.mode = "system"
        self.dark = False


_theme: _Theme | None = None


def theme() -> _Theme:
    """The one theme; `theme().changed` signals a change."""
    global _theme
    if _theme is None:
        _theme = _Theme()
    return _theme


def colours() -> Colours:
    """The current colours."""
    return DARK if theme().dark else LIGHT


def colour(name: str, alpha: int = 255) -> QColor:
    """A named colour as QColor; `alpha` 0..255."""
    made = QColor(getattr(colours(), name))
    made.setAlpha(alpha)
    return made


def palette(dark: bool) -> QPalette:
    """Our colours as Qt's roles."""
    c = DARK if dark else LIGHT
    role = QPalette.ColorRole
    roles = {
        role.Window: c.window, role.WindowText: c.text, role.Base: c.surface, role.AlternateBase: c.raised,
        role.Text: c.text, role.Button: c.raised, role.ButtonText: c.text, role.BrightText: c.error,
        role.ToolTipBase: c.raised, role.ToolTipText: c.text, role.PlaceholderText: c.muted,
        role.Highlight: c.accent, role.HighlightedText: c.on_accent, role.Accent: c.accent, role.Link: c.accent,
        role.LinkVisited: c.accent, role.Light: c.raised, role.Midlight: c.hover, role.Mid: c.border,
        role.Dark: c.border, role.Shadow: c.border,
    }  # fmt: skip
    made = QPalette()
    for which, value in roles.items():
        made.setColor(which, QColor(value))
    disabled = QColor(faint(c))
    for which in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, which, disabled)
    return made


def _renew_links(app: QApplication) -> None:
    """A label's links keep the palette's colour from when its text was set."""
    for label in app.allWidgets():
        if isinstance(label, QLabel) and "<a " in label.text():
            text = label.text()
            label.setText("")  # setting the same text again would be ignored
            label.setText(text)


def apply(mode: str | None = None) -> None:
    """Apply the theme: `mode` is one of MODES, None keeps the current one. Call it when the system's theme changes."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    one = theme()
    one.mode = mode if mode in MODES else one.mode
    hints = QGuiApplication.styleHints()
    schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
    # The system's title bars and file dialogs follow this.
    hints.setColorScheme(schemes.get(one.mode, Qt.ColorScheme.Unknown))
    one.dark = (one.mode == "dark") if one.mode in schemes else hints.colorScheme() == Qt.ColorScheme.Dark
    # Replacing one sheet by another would restyle each widget once for every ancestor: 20,000 times for the 2,200
    # widgets of all pages, 0.8 s. If the sheet is removed first, only once.
    has_own = Qt.WidgetAttribute.WA_SetFont
    own = [(widget, widget.font()) for widget in app.allWidgets() if widget.testAttribute(has_own)]
    app.setStyleSheet("")
    if app.style().name().lower() != "fusion":  # under a sheet, the style has no name
        app.setStyle("Fusion")
    app.setPalette(palette(one.dark))
    app.setStyleSheet(style_sheet(colours()))
    for widget, wanted in own:  # Qt restores the font that a widget had when first shown
        if widget.font() != wanted:
            widget.setFont(wanted)
    _renew_icons(app)
    _renew_links(app)
    one.changed.emit()


def font(size: float = BODY, *, bold: bool = False) -> QFont:
    """The application's typeface in one of the three sizes."""
    made = QFont(QApplication.font())
    made.setPointSizeF(made.pointSizeF() * size)
    made.setBold(bold)
    return made


# --- icons ---


def icon(name: str, colour: str = "") -> QIcon:
    """An icon of our set, by default in the text colour. What stays on the screen has `set_icon` or `set_pixmap`."""
    c = colours()
    return icons.icon(name, colour or c.text, faint(c), c.on_accent)


_glyphs: dict[tuple[str, str, int, float], QPixmap] = {}


def glyph(name: str, colour: str, side: int, ratio: float = 1.0) -> QPixmap:
    """A small icon for painting in lists, drawn once; `ratio` is the screen's device pixel ratio."""
    key = (name, colour, side, ratio)
    if key not in _glyphs:
        _glyphs[key] = icon(name, colour).pixmap(QSize(side, side), ratio)
    return _glyphs[key]


def set_icon(target: QAction | QAbstractButton, name: str) -> None:
    """Give an action or a button an icon that is renewed when the theme changes. Set its role before."""
    target.setProperty("icon-name", name)
    target.setIcon(_icon_of(target))


def set_pixmap(label: QLabel, name: str, side: int, colour: str = "text") -> None:
    """Show an icon in a label, `side` px wide, in a colour of our set; it is renewed when the theme changes."""
    for key, value in (("pixmap-name", name), ("pixmap-side", side), ("pixmap-colour", colour)):
        label.setProperty(key, value)
    _draw_pixmap(label)


def _draw_pixmap(label: QLabel) -> None:
    name, side, colour = (label.property(f"pixmap-{key}") for key in ("name", "side", "colour"))
    label.setPixmap(glyph(name, getattr(colours(), colour), side, label.devicePixelRatioF()))


def _icon_of(target: QObject) -> QIcon:
    return icon(str(target.property("icon-name")), colours().on_accent if target.property("role") == "primary" else "")


def _renew_icons(app: QApplication) -> None:
    for widget in app.allWidgets():
        for target in (widget, *widget.actions()):
            name = target.property("icon-name")
            if name:
                target.setIcon(_icon_of(target))  # type: ignore[attr-defined]
        if isinstance(widget, QLabel) and widget.property("pixmap-name"):
            _draw_pixmap(widget)


# --- plots ---

READABLE = 2.5  # minimum contrast of a curve with its background: label colours are made for photographs


def style_plot(plot: Any) -> None:
    """Apply our colours to a pyqtgraph PlotWidget or PlotItem. Call it again on `theme().changed`."""
    c = colours()
    if hasattr(plot, "setBackground"):
        plot.setBackground(c.plot)
    item = plot.getPlotItem() if hasattr(plot, "getPlotItem") else plot
    for side in ("left", "bottom", "right", "top"):
        axis = item.getAxis(side)
        axis.setPen(c.border)
        axis.setTextPen(c.muted)
        axis.setTickFont(font(SMALL))
    item.showGrid(x=True, y=True, alpha=0.12)
    if item.legend is not None:
        item.legend.setLabelTextColor(c.text)
        for _, label in item.legend.items:
            label.setText(label.text)  # pyqtgraph uses the new colour only for text set later


def device_pixel_ratio() -> float:
    """The highest device pixel ratio of the screens: pyqtgraph's pens are in device pixels."""
    app = QApplication.instance()
    return app.devicePixelRatio() if isinstance(app, QApplication) else 1.0


def series_colour(number: int) -> str:
    """The colour of curve `number` (0, 1, ...) in a plot: colour-blind safe, readable on both backgrounds."""
    light = ("#0b5fc0", "#b34a00", "#00724f", "#a0307c", "#7a5c00", "#3f5f7f")
    dark = ("#62adff", "#ff9a4d", "#3fc79a", "#e58fc6", "#e3c552", "#9fb8d1")
    chosen = dark if theme().dark else light
    return chosen[number % len(chosen)]


def readable_colour(value: str) -> str:
    """A label's colour, blended with the text's as far as a thin line needs on a plot's background."""
    ground, ink = colours().plot, colour("text")
    own = QColor(value)
    for share in (0.0, 0.2, 0.4, 0.6, 0.8):
        mixed = QColor.fromRgbF(*(
            float(a * (1 - share) + b * share)
            for a, b in zip(own.getRgbF()[:3], ink.getRgbF()[:3], strict=True)  # type: ignore[index]
        ))  # fmt: skip
        if contrast(mixed.name(), ground) >= READABLE:
            return mixed.name()
    return ink.name()


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast of two colours: 1 (none) to 21 (black on white)."""
    a, b = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (a + 0.05) / (b + 0.05)


def _luminance(value: str) -> float:
    ink = QColor(value)
    red, green, blue = (_linear(part) for part in (ink.redF(), ink.greenF(), ink.blueF()))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.03928 else float(((part + 0.055) / 1.055) ** 2.4)


def text_on(ground: str) -> str:
    """Black or white, whichever is more readable on `ground`: for label names on their colour."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, ground))
