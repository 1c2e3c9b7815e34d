"""What a palette can't express: flat fields, buttons, tabs and scroll bars on Qt's Fusion, in a theme's colours."""

from __future__ import annotations

from workbench.core.files import resource
from workbench.ui.colours import LIGHT, Colours, faint, tint

ROUND = "border-radius: 4px"


def style_sheet(c: Colours) -> str:
    """The application's style sheet. A widget's `role` property must be set before it is shown."""
    return "".join((_windows(c), _buttons(c), _tool_buttons(c), _fields(c), _ticks(c), _bars(c), _views(c)))


def _image(name: str, c: Colours, side: int = 12) -> str:
    ground = "light" if c is LIGHT else "dark"
    path = resource("icons", f"{name}-on-{ground}.png")
    return f'image: url("{path.as_posix()}"); width: {side}px; height: {side}px'


def _windows(c: Colours) -> str:
    return f"""
    QToolTip {{ color: {c.text}; background: {c.raised}; border: 1px solid {c.border}; padding: 4px; }}
    QMenuBar {{ background: {c.window}; border: none; }}
    QMenuBar::item {{ padding: 6px 8px; background: transparent; {ROUND}; }}
    QMenuBar::item:selected {{ background: {c.hover}; }}
    QSplitter::handle {{ background: {c.border}; }}
    QSplitter::handle:horizontal {{ width: 1px; }}
    QSplitter::handle:vertical {{ height: 1px; }}
    QFrame[role="bar"] {{ background: {c.window}; border: none; }}
    QFrame[role="card"] {{ background: {c.surface}; border: 1px solid {c.border}; border-radius: 6px; }}
    QFrame#start-drop {{ border: 1px dashed {c.muted}; border-radius: 6px; }}
    QLabel[role="muted"] {{ color: {c.muted}; }}
    QLabel[role="error"] {{ color: {c.error}; }}
    QLabel[role="ok"], QToolButton[role="ok"] {{ color: {c.ok}; }}
    """


def _buttons(c: Colours) -> str:
    return f"""
    QPushButton {{ background: {c.raised}; border: 1px solid {c.border}; {ROUND}; padding: 3px 11px; }}
    QPushButton:hover {{ background: {c.hover}; }}
    QPushButton:pressed {{ background: {c.border}; }}
    QPushButton:checked {{ border-color: {c.accent}; background: {tint(c)}; }}
    QPushButton:default, QPushButton:focus {{ border-color: {c.accent}; }}
    QPushButton:disabled {{ color: {faint(c)}; background: {c.window}; border-color: {c.border}; }}
    QPushButton::menu-indicator {{ {_image("chevron-down", c)}; subcontrol-position: right center; right: 5px; }}
    QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
    QDialogButtonBox QPushButton {{ min-width: 58px; }}
    QPushButton:flat {{ border-color: transparent; background: transparent; padding: 3px 8px; }}
    QPushButton:flat:hover {{ background: {c.border}; }}
    QPushButton:flat:focus {{ border-color: {c.accent}; }}
    QPushButton[role="count"] {{ text-align: right; padding: 3px 4px; }}
    QPushButton[role="count"]:disabled, QToolButton[role="count"]:disabled {{ color: {c.muted}; }}
    QPushButton[role="choice"] {{ background: {c.surface}; padding: 3px 10px; }}
    QPushButton[role="choice"]:hover {{ background: {c.hover}; }}
    QPushButton[role="choice"]:checked {{ border-color: {c.accent}; background: {tint(c)}; color: {c.accent}; }}
    QPushButton[role="choice"]:focus {{ border-color: {c.text}; }}
    QPushButton[role="choice"]:disabled {{ color: {faint(c)}; border-color: {c.border}; }}
    QPushButton[role="primary"] {{
        background: {c.accent}; color: {c.on_accent}; border: 2px solid {c.accent}; padding: 2px 14px; }}
    QPushButton[role="primary"]:focus {{ border-color: {c.text}; }}
    QPushButton[role="primary"]:disabled {{ background: {c.border}; border-color: {c.border}; color: {c.muted}; }}
    """


def _tool_buttons(c: Colours) -> str:
    return f"""
    QToolButton {{ border: 1px solid transparent; {ROUND}; padding: 2px 3px; }}
    QToolButton[autoRaise="false"] {{ background: {c.raised}; border-color: {c.border}; padding: 2px 6px; }}
    QToolButton[toolButtonStyle="0"] {{ padding: 2px 1px; }}
    QToolButton[role="fold"] {{ padding-left: 0; }}
    QToolButton[popupMode="1"] {{ padding-right: 17px; }}
    QToolButton[popupMode="2"] {{ padding-right: 11px; }}
    QToolButton:hover {{ background: {c.hover}; }}
    QToolButton:pressed {{ background: {c.border}; }}
    QToolButton:checked {{ border-color: {c.accent}; background: {tint(c)}; }}
    QToolButton:focus {{ border-color: {c.accent}; }}
    QToolButton:disabled {{ color: {faint(c)}; }}
    QToolButton::menu-button {{ border: none; width: 16px; }}
    QToolButton::menu-arrow {{ {_image("chevron-down", c)}; }}
    QToolButton::menu-indicator {{
        {_image("chevron-down", c, 8)}; subcontrol-position: right center; right: 2px; }}
    """


def _fields(c: Colours) -> str:
    # No background for combo boxes: the items of their lists would use it for the selected one.
    up, down = _image("chevron-up", c), _image("chevron-down", c)
    return f"""
    QLineEdit, QAbstractSpinBox {{ background: {c.surface}; border: 1px solid {c.border}; {ROUND}; }}
    QLineEdit {{ padding: 2px 6px; }}
    QComboBox {{ padding: 2px 4px 2px 7px; border: 1px solid {c.border}; {ROUND}; combobox-popup: 0; }}
    QAbstractSpinBox {{ padding: 1px 2px 0 0; }}
    QAbstractSpinBox QLineEdit {{ border: none; padding: 0 0 0 4px; background: transparent; }}
    QComboBox QLineEdit {{ border: none; padding: 0; background: transparent; }}
    QComboBox QAbstractItemView::item {{ min-height: 22px; padding: 0 4px; }}
    QComboBox:hover {{ border-color: {c.muted}; }}
    QLineEdit:disabled, QAbstractSpinBox:disabled {{ background: {c.window}; color: {faint(c)}; }}
    QLineEdit:disabled {{ placeholder-text-color: {faint(c)}; }}
    QComboBox:disabled {{ border-color: {c.border}; color: {faint(c)}; }}
    QLineEdit:focus, QComboBox:focus, QAbstractSpinBox:focus {{ border-color: {c.accent}; }}
    QComboBox::drop-down {{ border: none; width: 18px; }}
    QComboBox::down-arrow {{ {down}; }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ border: none; width: 16px; }}
    QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover {{ background: {c.hover}; }}
    QAbstractSpinBox::up-arrow {{ {up}; }}
    QAbstractSpinBox::down-arrow {{ {down}; }}
    """


def _ticks(c: Colours) -> str:
    return f"""
    QCheckBox::indicator {{
        width: 14px; height: 14px; border: 1px solid {c.muted}; border-radius: 3px; background: {c.surface}; }}
    QCheckBox::indicator:checked {{ background: {c.accent}; border-color: {c.accent}; {_tick(c)}; }}
    QCheckBox::indicator:indeterminate {{ background: {c.muted}; }}
    QCheckBox::indicator:disabled {{ border-color: {c.border}; }}
    QCheckBox::indicator:focus {{ border: 2px solid {c.text}; width: 12px; height: 12px; }}
    QRadioButton::indicator {{
        width: 14px; height: 14px; border: 1px solid {c.muted}; border-radius: 8px; background: {c.surface}; }}
    QRadioButton::indicator:checked {{ border: 5px solid {c.accent}; width: 6px; height: 6px; }}
    QRadioButton::indicator:focus {{ border-color: {c.text}; }}
    """


def _tick(c: Colours) -> str:
    ground = "dark" if c is LIGHT else "light"
    return f'image: url("{resource("icons", f"tick-on-{ground}-accent.png").as_posix()}")'


def _bars(c: Colours) -> str:
    return f"""
    QScrollBar {{ background: transparent; border: none; }}
    QScrollBar:vertical {{ width: 12px; }}
    QScrollBar:horizontal {{ height: 12px; }}
    QScrollBar::handle {{ background: {faint(c)}; border-radius: 4px; margin: 2px; }}
    QScrollBar::handle:vertical {{ min-height: 28px; }}
    QScrollBar::handle:horizontal {{ min-width: 28px; }}
    QScrollBar::handle:hover, QScrollBar::handle:pressed {{ background: {c.muted}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QSlider::groove:horizontal {{ height: 4px; border-radius: 2px; background: {c.border}; }}
    QSlider::sub-page:horizontal {{ height: 4px; border-radius: 2px; background: {c.accent}; }}
    QSlider::sub-page:horizontal:disabled {{ background: {c.border}; }}
    QSlider::handle:horizontal {{
        width: 12px; height: 12px; margin: -5px 0; border-radius: 7px; border: 1px solid {c.window};
        background: {c.accent}; }}
    QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus {{ border-color: {c.text}; }}
    QSlider::handle:horizontal:disabled {{ background: {c.muted}; }}
    QProgressBar {{ background: {c.border}; border: none; {ROUND}; text-align: center; }}
    QProgressBar::chunk {{ background: {c.accent}; {ROUND}; }}
    """


def _views(c: Colours) -> str:
    return f"""
    QTabWidget::pane {{ border: none; border-top: 1px solid {c.border}; }}
    QTabWidget::right-corner {{ top: 0px; }}
    QTabBar::tab {{
        background: transparent; color: {c.muted}; border: none; border-bottom: 2px solid transparent;
        padding: 4px 9px 3px 9px; }}
    QTabBar::tab:hover {{ color: {c.text}; background: {c.hover}; }}
    QTabBar::tab:selected {{ color: {c.text}; border-bottom-color: {c.accent}; }}
    QTabBar::tab:selected:focus {{ background: {tint(c)}; }}
    QTabBar::tab:disabled {{ color: {faint(c)}; }}
    QHeaderView::section {{
        background: {c.surface}; color: {c.muted}; border: none; border-bottom: 1px solid {c.border}; padding: 4px; }}
    QTableCornerButton::section {{ background: {c.surface}; border: none; border-bottom: 1px solid {c.border}; }}
    QTableView, QTreeView, QListView, QTextEdit, QPlainTextEdit {{
        background: {c.surface}; border: 1px solid {c.border}; gridline-color: {c.hover}; }}
    QHeaderView {{ background: {c.surface}; border: none; }}
    QTableView#labels-table::item {{ padding: 0 4px; }}
    QAbstractItemView[role="flat"] {{ border: 1px solid {c.surface}; background: {c.surface}; }}
    QGraphicsView {{ border: 1px solid {c.plot}; }}
    QAbstractItemView:focus, QGraphicsView:focus, QTextEdit:focus, QPlainTextEdit:focus {{ border-color: {c.accent}; }}
    QAbstractItemView[role="flat"]:focus {{ border-color: {c.accent}; }}
    """
