"""The bar above a run's plots: which are shown, whose AP, how much smoothing, and what can be saved."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSlider, QToolButton, QWidget

from workbench.training.monitoring import tensorboard_log
from workbench.ui import preferences, theme
from workbench.ui.train.plots import label_curves, smoothing
from workbench.ui.train.plots.train_plot import CSV, KINDS, PNG, PlotKind
from workbench.ui.widgets.elided import ElidedCombo
from workbench.ui.widgets.popups import Menu

_PLOTS, _SMOOTHING, _BOARD = "train/plots", "train/smoothing", "train/tensorboard"
AUTOMATIC = "As many as fit"


class PlotBar(QWidget):
    """Its settings are kept for the next start, except the labels, which belong to a project."""

    plots_chosen = Signal(object)  # their names; empty: as many as fit
    all_requested = Signal()  # show all plots again instead of the one that is enlarged
    labels_chosen = Signal()  # `what` or `find` changed
    smoothing_changed = Signal()
    save_requested = Signal(str, str)  # a plot's name, "" for all visible ones; "png" or "csv"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[PlotKind, ...] = ()
        self.plots = _menu_button("train-plots", "Plots", "mdi6.view-grid-outline", "The plots to show.")
        self.back = _tool("train-plots-all", "All plots", "mdi6.arrow-left", "Show the other plots again.")
        self.back.clicked.connect(self.all_requested)
        self.save = _menu_button(
            "train-plots-save", "Save", "mdi6.tray-arrow-down", "Save plots as pictures and their numbers as CSV."
        )
        self._offer_plots()
        self.save.menu().aboutToShow.connect(self._offer_files)
        self.save.menu().triggered.connect(self._ask_save)  # also for its submenus
        self.labels = ElidedCombo(
            "train-ap-of", "AP of", "The label whose average precision is plotted over the epochs."
        )
        self.labels.setMinimumWidth(80)
        self.labels.setSizeAdjustPolicy(ElidedCombo.SizeAdjustPolicy.AdjustToContents)
        self.labels.addItems([f"AP: {label_curves.ALL}", label_curves.AP50, label_curves.AP])
        self.labels.currentIndexChanged.connect(self._labels_chosen)
        self._find = QLineEdit(placeholderText="find labels", clearButtonEnabled=True)
        self._find.setObjectName("train-find-labels")
        self._find.setAccessibleName("Find labels")
        self._find.setMinimumWidth(56)
        self._find.setMaximumWidth(120)
        self._find.setToolTip("Only labels with this in their name; empty: those with the lowest AP.")
        self._find.textChanged.connect(self.labels_chosen)
        self._make_slider()
        self._lay_out()
        self.show_plots((), "", False)

    def _make_slider(self) -> None:
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, round(100 * smoothing.MOST))
        self.slider.setObjectName("train-smoothing")
        self.slider.setAccessibleName("Smoothing")
        self.slider.setMinimumWidth(48)
        self.slider.setMaximumWidth(160)
        self.slider.setToolTip(
            "How much the noisy curves are smoothed: loss, gradient norm, speed, device use.\n"
            "The faint curve behind is what was measured. 0 shows that alone."
        )
        self._value = QLabel()
        self._value.setObjectName("train-smoothing-value")
        self._value.setProperty("role", "muted")
        self._value.setFixedWidth(self._value.fontMetrics().horizontalAdvance("0.00 "))
        self.slider.setValue(_kept_smoothing())
        self._value.setText(f"{self.smoothing:.2f}")
        self.slider.valueChanged.connect(self._smoothing_changed)

    def _lay_out(self) -> None:
        words = QLabel("Smoothing")
        words.setProperty("role", "muted")
        words.setBuddy(self.slider)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.GRID)
        for control in (self.plots, self.back, self.labels, self._find):
            row.addWidget(control)
        row.addStretch(1)
        for widget in (words, self.slider, self._value, self.save):
            row.addWidget(widget)

    # --- what was chosen ---

    @property
    def kept_plots(self) -> tuple[str, ...]:
        """The plots chosen when the program last ran; empty: as many as fit."""
        known = [kind.name for kind in KINDS]
        return tuple(name for name in str(preferences.get(_PLOTS, "")).split("+") if name in known)

    @property
    def what(self) -> str:
        """One of label_curves.CHOICES."""
        return label_curves.CHOICES[self.labels.currentIndex()]

    @property
    def search_text(self) -> str:
        """The text to look for in label names."""
        return "" if self._find.isHidden() else self._find.text().strip()

    @property
    def for_tensorboard(self) -> bool:
        """Whether trainings also write their curves for TensorBoard."""
        return preferences.flag(_BOARD) and tensorboard_log.is_installed()

    @property
    def smoothing(self) -> float:
        return self.slider.value() / 100

    # --- what is there ---

    def show_plots(self, shown: Sequence[PlotKind], alone: str, automatic: bool) -> None:
        """These plots are now visible; `alone`: the enlarged one."""
        self._shown = tuple(shown)
        names = {kind.name for kind in shown}
        self.back.setVisible(bool(alone))
        self.plots.setVisible(not alone)
        self.labels.setVisible("ap" in names)
        if "ap" not in names:
            self._find.hide()
        self._automatic.setChecked(automatic)
        for name, action in self._by_name.items():
            action.setChecked(name in names)

    def offer_find(self, labels: int) -> None:
        """The run has this many labels: if more than curves can be told apart, offer a search."""
        self._find.setVisible(
            self.what != label_curves.ALL and labels > label_curves.MOST and not self.labels.isHidden()
        )

    def _offer_plots(self) -> None:
        menu = self.plots.menu()
        self._automatic = menu.addAction(AUTOMATIC)
        self._automatic.setCheckable(True)
        self._automatic.triggered.connect(self._all_chosen)
        menu.addSeparator()
        self._by_name: dict[str, QAction] = {}
        for kind in KINDS:
            action = menu.addAction(kind.title)
            action.setCheckable(True)
            action.triggered.connect(self._plot_chosen)
            self._by_name[kind.name] = action

    @Slot()
    def _plot_chosen(self) -> None:
        """The last plot can't be unchecked: that goes back to as many as fit."""
        self._choose(tuple(name for name, action in self._by_name.items() if action.isChecked()))

    @Slot()
    def _all_chosen(self) -> None:
        self._choose(())

    def _choose(self, names: tuple[str, ...]) -> None:
        preferences.put(_PLOTS, "+".join(names))
        self.plots_chosen.emit(names)

    def _offer_files(self) -> None:
        menu = self.save.menu()
        menu.clear()
        words = "These plots as one picture…" if len(self._shown) > 1 else "This plot as a picture…"
        menu.addAction(words).setData(("", PNG))
        menu.addSeparator()
        for kind in self._shown:
            own = Menu(kind.title, menu)
            menu.addMenu(own)
            for text, suffix in (("As CSV…", CSV), ("As picture…", PNG)):
                own.addAction(text).setData((kind.name, suffix))
        menu.addSeparator()
        words = "For TensorBoard, from the next training on"
        also = menu.addAction(
            words if tensorboard_log.is_installed() else "For TensorBoard (not installed: extra “tb”)"
        )
        also.setCheckable(True)
        also.setChecked(self.for_tensorboard)
        also.setEnabled(tensorboard_log.is_installed())
        also.setToolTip("Write the curves into the run's folder tensorboard, too.")

    @Slot(QAction)
    def _ask_save(self, action: QAction) -> None:
        if action.isCheckable():
            preferences.put(_BOARD, action.isChecked())
        else:
            self.save_requested.emit(*action.data())

    @Slot()
    def _labels_chosen(self) -> None:
        self.labels_chosen.emit()

    @Slot()
    def _smoothing_changed(self) -> None:
        self._value.setText(f"{self.smoothing:.2f}")
        preferences.put(_SMOOTHING, self.slider.value())
        self.smoothing_changed.emit()


def _kept_smoothing() -> int:
    """In percent."""
    try:
        return int(preferences.get(_SMOOTHING, round(100 * smoothing.USUAL)))
    except (TypeError, ValueError):  # the file was edited by hand
        return round(100 * smoothing.USUAL)


def _tool(name: str, word: str, icon: str, tip: str) -> QToolButton:
    button = QToolButton(autoRaise=True)
    button.setText(word)
    button.setObjectName(name)
    button.setAccessibleName(word)
    button.setToolTip(tip)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    theme.set_icon(button, icon)
    return button


def _menu_button(name: str, word: str, icon: str, tip: str) -> QToolButton:
    button = _tool(name, word, icon, tip)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    menu = Menu(button)
    menu.setObjectName(f"{name}-menu")
    button.setMenu(menu)
    return button
