"""The left side of the Train page: the detector, the recipe, every setting of both, and Start."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench import settings
from workbench.core.former_names import current_names
from workbench.core.storage.contents import Contents
from workbench.errors import WorkbenchError
from workbench.training import fine_tuning
from workbench.training.differences import Difference, differences, form_text
from workbench.training.recipes import LENGTH, Recipe
from workbench.training.records.runs import RunInfo
from workbench.training.settings import TrainingSettings
from workbench.ui import theme
from workbench.ui.train.form import form_order
from workbench.ui.train.form.network_size import NetworkSizeLabel
from workbench.ui.train.form.recipe_about import RecipeAbout
from workbench.ui.train.form.recipe_changes import RecipeChanges
from workbench.ui.train.form.start_buttons import StartButtons
from workbench.ui.train.form.start_from import PUBLISHED, StartFrom
from workbench.ui.train.work import DetectorChoice, Loaded
from workbench.ui.widgets import tab_order
from workbench.ui.widgets.elided import ElidedCombo
from workbench.ui.widgets.forms import Form
from workbench.ui.widgets.two_line_delegate import REMARK_ROLE, SENTENCE_ROLE, TwoLineDelegate

LOADING = "Loading PyTorch …"
WIDTH = 320  # px, at least: with a large font the buttons below the form need more
FIRST_DETECTOR = "yolov4-tiny"  # as the help page on choosing one says


class SetupPanel(QWidget):
    """`changed` after a change; `help_requested` for a help page. Its `buttons` start the training."""

    help_requested = Signal(str)  # a help page
    message = Signal(str)  # what was set along with a choice, or why nothing starts
    changed = Signal()
    resized = Signal(int)  # its height, in px

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._recipes: dict[str, Recipe] = {}
        self._choices: dict[str, DetectorChoice] = {}
        self._recipe: Recipe | None = None
        self._is_own_length = False  # a person set the length
        self.first_recipe: Callable[[], str] = lambda: ""  # the name of the recipe shown before a person chose one
        self._sought = ""  # the field name of a setting to be shown once there is a form
        self.settled = False  # a person has chosen something or trained: the form must not change by itself
        self.loading = QLabel(LOADING)
        self.loading.setObjectName("train-loading")
        self.loading.setProperty("role", "muted")
        self.detector = ElidedCombo("train-detector", "Detector", "The detector that is trained.")
        self.detector.setItemDelegate(TwoLineDelegate(self.detector))
        self.preset = ElidedCombo("train-preset", "Recipe", "The settings to begin with.")
        self.network_size = NetworkSizeLabel()
        self.about = RecipeAbout(self.network_size)
        self.start_from = StartFrom()
        self.help = QToolButton()
        self.help.setText("?")
        self.help.setObjectName("train-detector-help")
        self.help.setAccessibleName("Choosing a detector")
        self.help.setToolTip("Choosing a detector")
        self.help.clicked.connect(lambda: self.help_requested.emit("choosing-a-detector"))
        self.run_name = QLineEdit(placeholderText="automatic", maxLength=80)
        self.run_name.setObjectName("train-run-name")
        self.run_name.setToolTip("The name of the run's folder. Left empty, it is the detector's with a number.")
        self.changes = RecipeChanges()
        self.form = Form("train-form")
        self.data = QLabel(wordWrap=True)
        self.data.setObjectName("train-data")
        self.data.setProperty("role", "muted")
        self.buttons = StartButtons()
        self.check_buttons = QHBoxLayout()  # buttons that check the training before it starts
        self.check_buttons.setSpacing(theme.GRID)
        self.setFixedWidth(WIDTH)
        self._lay_out()
        for touched in (self.detector.activated, self.preset.activated, self.start_from.activated, self.form.changed):
            touched.connect(self._settle)  # before the slots that follow from it
        self.detector.activated.connect(self._detector_chosen)
        self.preset.activated.connect(self._preset_chosen)
        self.form.changed.connect(self._keep_typed_length)
        self.form.changed.connect(self.changed)
        self.changed.connect(self._compare)
        self.changes.reset_requested.connect(self._reset_settings)
        self.buttons.message.connect(self.message)
        self.buttons.refused.connect(self._refuse)
        self.start_from.activated.connect(self._fit_width)
        self.start_from.activated.connect(self.changed)
        self._enable(False)

    def showEvent(self, event: QShowEvent) -> None:
        self.setFixedWidth(max(WIDTH, self.check_buttons.minimumSize().width()))  # others have added buttons by now
        super().showEvent(event)

    def _lay_out(self) -> None:
        head = QFormLayout()
        head.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        detector = QHBoxLayout()
        detector.addWidget(self.detector, 1)
        detector.addWidget(self.help)
        head.addRow("Recipe", self.preset)
        head.addRow("Detector", detector)
        head.addRow("Start from", self.start_from)
        head.addRow("Run name", self.run_name)
        scroll = self._scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its fields take the focus
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._scrolled())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID)
        column.addWidget(self.loading)
        column.addLayout(head)
        column.addWidget(scroll, 1)
        column.addWidget(self.data)
        column.addLayout(self.check_buttons)
        column.addWidget(self.buttons)

    def _scrolled(self) -> QWidget:
        """The explanations, the differences from the recipe, and the form: they may be taller than the window."""
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.about)
        column.addWidget(self.changes)
        column.addWidget(self.form, 1)
        return inside

    def _enable(self, on: bool) -> None:
        for widget in (self.detector, self.preset, self.start_from, self.run_name, self.changes, self.form):
            widget.setEnabled(on)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.about.fit(self.height())
        self.resized.emit(self.height())

    @property
    def loaded(self) -> bool:
        return self._recipe is not None

    def fill(self, loaded: Loaded) -> None:
        """Fill in the choices, and choose `first_recipe`, or the first recipe if there is none of that name."""
        self._choices = {choice.name: choice for choice in loaded.detectors}
        self._recipes = {recipe.name: recipe for recipe in loaded.recipes}
        for combo, entries in (
            (self.detector, [(c.name, c.title, f"{c.summary}\n{c.paper}") for c in loaded.detectors]),
            (self.preset, [(r.name, r.title, r.about) for r in loaded.recipes]),
        ):
            combo.clear()
            for name, title, tooltip in entries:
                combo.addItem(title, name)
                combo.setItemData(combo.count() - 1, tooltip, Qt.ItemDataRole.ToolTipRole)
        for row, choice in enumerate(loaded.detectors):
            self.detector.setItemData(row, choice.summary, SENTENCE_ROLE)
            if choice.name == FIRST_DETECTOR:
                self.detector.setItemData(row, "recommended to begin with", REMARK_ROLE)
        self.loading.hide()
        self._enable(True)
        if loaded.recipes:
            self._show(self._recipes.get(self.first_recipe(), loaded.recipes[0]))
        if self._sought:
            self.show_setting(self._sought)

    @Slot(str)
    def show_setting(self, name: str) -> None:
        """Open the group of this setting in the form, scroll to it and give it the focus; at once or when loaded."""
        self._sought = "" if self.loaded else name
        if self.loaded:
            row = self.form.show_row(name)
            QTimer.singleShot(0, row, lambda: self._scroll_to(row))

    def _scroll_to(self, row: QWidget) -> None:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)  # its group was opened just now
        self._scroll.ensureWidgetVisible(row, 0, self._scroll.viewport().height() // 2)  # warnings may take the rest

    @property
    def recipe_names(self) -> tuple[str, ...]:
        return tuple(self._recipes)

    def suggest(self, name: str) -> None:
        """Choose the recipe of this name, unless another choice was settled."""
        if not self.settled and name in self._recipes and name != self.preset.currentData():
            self._show(self._recipes[name])

    def suggest_settings(self, recipe: Recipe, start: Path | None) -> None:
        """Put in this recipe with its settings and the weights it started from, unless another choice was settled."""
        if not self.settled:
            self._show(recipe)
            if start is not None and start.is_file():
                self.start_from.begin_from(start)
                self.changed.emit()

    def start_over(self) -> None:
        """Another project was opened: drop what was typed or chosen for the last one."""
        self.settled = False
        self.run_name.clear()
        self.start_from.forget()
        recipe = self._recipes.get(self.preset.currentData())
        if recipe is not None:
            self._show(recipe)

    def offer_runs(self, runs: Sequence[RunInfo]) -> None:
        """Offer to start from these; tell if the chosen one is no longer among them, and begin nothing without it."""
        before, words = self.start_from.currentData(), self.start_from.currentText()
        self.start_from.set_runs(runs)
        if isinstance(before, Path) and self.start_from.currentData() != before:
            self.buttons.cancel()
            self.message.emit(f"{words} is gone, so the training in the form starts from fresh weights.")
            self.changed.emit()

    @Slot()
    def _settle(self) -> None:
        self.settled = True

    def show_recipe(self, recipe: Recipe) -> None:
        """Show the detector and settings of this recipe, which a person chose."""
        self.settled = True
        self._show(recipe)

    def _show(self, recipe: Recipe) -> None:
        self._recipe, self._is_own_length = recipe, False
        self.detector.setCurrentIndex(self.detector.findData(recipe.detector))
        self.preset.setCurrentIndex(self.preset.findData(recipe.name))
        used = self.form.row_in_use()
        self.form.set_rows(form_order.rows_of(recipe), (form_order.FIRST_GROUP,))
        self.form.set_values(settings.to_dict(recipe.detector_settings))
        self.form.set_values(settings.to_dict(recipe.training))
        detector = self._choices.get(recipe.detector)
        self.start_from.offer(detector.weights if detector else None, recipe.detector)
        self.about.say(self._about(recipe), detector.summary if detector else "")
        self._fit_width()
        tab_order.set_reading_order(self)
        if used in self.form.names():
            self.show_setting(used)
        self.changed.emit()

    def _about(self, recipe: Recipe) -> str:
        """What a recipe promises for its own detector does not hold for another."""
        preset = self._recipes.get(recipe.name, recipe)
        own = preset.detector
        if recipe.as_published or recipe.detector == own or own not in self._choices:
            return recipe.about
        values = dict((preset.source or {}).get("for", {}).get(recipe.detector, {}))
        words = ", ".join(f"{name.replace('_', ' ')} {form_text(value)}" for name, value in values.items())
        but = f", here with {words}" if words else ""
        return f"The training of “{recipe.title}”, which was made for {self._choices[own].title}{but}."

    @Slot()
    def _keep_typed_length(self) -> None:
        """Epochs or batch changed by a person are meant as they are: the recipe's least steps would override them."""
        if self._recipe is None or self._is_own_length or not self._recipe.training.least_steps:
            return
        with contextlib.suppress(WorkbenchError):  # what was typed is not a number yet
            values = self.form.values()
            if any(values[name] != getattr(self._recipe.training, name) for name in LENGTH):
                self._is_own_length = True
                self.form.set_values({"least_steps": 0})
                self.message.emit("The training is now as long as you say: Least steps, under Length, was set to 0.")

    @Slot()
    def _fit_width(self) -> None:
        """Published weights need the published network: none would fit another width."""
        if self.start_from.currentData() == PUBLISHED and self._width_is_odd():
            self.form.set_values({"width": 1.0})
            self.message.emit("The published weights are of the whole network, so its width was set to 1.")
            self.changed.emit()

    def recipe(self) -> Recipe | None:
        """The recipe with the form's values; None while nothing is loaded. WorkbenchError if a value is not valid."""
        return self._recipe.changed(self.form.values()) if self._recipe is not None else None

    @property
    def valid_recipe(self) -> Recipe | None:
        """The same, but also None while a value is not valid."""
        try:
            return self.recipe()
        except WorkbenchError:
            return None

    @Slot()
    def _compare(self) -> None:
        """Show what differs from the recipe; while a value is not valid, what differed before."""
        recipe = self.valid_recipe
        if recipe is not None:
            self.changes.show_changes(recipe, differences(recipe))

    @Slot(object)
    def _reset_settings(self, found: tuple[Difference, ...]) -> None:
        self.form.set_values({one.name: "auto" if one.before is None else one.before for one in found})
        self._is_own_length = self._is_own_length and not LENGTH & {one.name for one in found}
        self.changed.emit()

    @Slot(str)
    def _refuse(self, why: str) -> None:
        self.data.setText(why)
        self.message.emit(why)

    def training_settings(self) -> TrainingSettings:
        """The form's training settings if valid, else the defaults: for counting images."""
        recipe = self.valid_recipe
        return recipe.training if recipe is not None else TrainingSettings()

    @property
    def choice(self) -> DetectorChoice | None:
        """The chosen detector; None while nothing is loaded."""
        return self._choices.get(self.detector.currentData() or "")

    @property
    def takes_anchors(self) -> bool:
        """Whether the chosen detector can use the project's anchors."""
        return self.choice is None or self.choice.takes_anchors

    def offer_start(self, no_start: str, no_next: str) -> None:
        """Offer to start and to queue the training, or say why that is not possible."""
        loading = "" if self.loaded else self.loading.text()  # or why that failed
        self.buttons.offer(loading or no_start, loading or no_next)

    def learning_rate_note(self, recipe: Recipe | None, labels: tuple[str, ...], project: Contents) -> str:
        """When starting from a run that knows these labels: the learning rate that results from that of `recipe`."""
        with contextlib.suppress(WorkbenchError):  # published weights that are not fetched yet
            start = self.start_from.file
            if recipe is not None and fine_tuning.knows_all(start, recipe, labels, current_names(project)):
                slow = fine_tuning.fine_tuning_settings(recipe.training).learning_rate
                if slow != recipe.training.learning_rate:
                    return f" It goes on from a run: learning rate {slow:.3g} (Going on rate)."
        return ""

    @Slot()
    def _detector_chosen(self) -> None:
        """Keep the training settings for another detector, and what was typed where it is valid."""
        if self._recipe is None:
            return
        current = self.valid_recipe or self._recipe
        self.show_recipe(current.with_detector(self.detector.currentData()))

    def _width_is_odd(self) -> bool:
        return "width" in self.form.names() and str(self.form.text("width")).strip() not in ("1", "1.0")

    @Slot()
    def _preset_chosen(self) -> None:
        """A recipe for all detectors keeps the chosen one."""
        recipe = self._recipes[self.preset.currentData()]
        if recipe.for_all and self.detector.currentData() is not None:
            recipe = recipe.with_detector(self.detector.currentData())
        self.show_recipe(recipe)
