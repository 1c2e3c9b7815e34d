"""What the trainer sees: an image as it enters the network, how a detector's loss treats it, two detectors side by
side, and how many boxes of the whole set nothing would be trained on.

Expensive work is done in one thread (scheduler.py, worker.py) or in a job of the session; PyTorch is loaded there. The
window follows the session's image, the runs and the Train page's settings, and updates after edits of the project.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QHideEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QSplitter, QTabWidget, QVBoxLayout, QWidget

from workbench.errors import WorkbenchError
from workbench.training import differences
from workbench.training.records import runs
from workbench.training.settings import TrainingSettings
from workbench.ui import keys, preferences, theme
from workbench.ui.actions import make_action
from workbench.ui.background import Background
from workbench.ui.session import Session
from workbench.ui.train.form import first_recipe
from workbench.ui.train.trainer_view.colours import matching_colour_indices
from workbench.ui.train.trainer_view.controls import Controls
from workbench.ui.train.trainer_view.image_navigator import ImageNavigator
from workbench.ui.train.trainer_view.legend import SymbolLegend
from workbench.ui.train.trainer_view.pane import DetectorPane
from workbench.ui.train.trainer_view.requests import AssignmentResult, FileCheckResult, LoadResult, TrainingPlan
from workbench.ui.train.trainer_view.scheduler import RequestScheduler
from workbench.ui.train.trainer_view.whole_set import WholeSet
from workbench.ui.train.trainer_view.worker import TrainerViewWorker
from workbench.ui.widgets import window_geometry
from workbench.ui.widgets.elided import ElidedLabel

SECOND = "yolov3"
"""The detector offered first for comparison."""
SIZE, SMALLEST = (1040, 640), (680, 580)
_GEOMETRY, _LEGEND = "seen/window", "seen/legend"

PlanSource = Callable[[], TrainingPlan | None]


class TrainerViewWindow(QDialog):
    """Not modal. `plan_of` returns the Train page's settings, None for the first preset; or raises why not.

    `worker` does the work in a thread; a fake in tests.
    """

    def __init__(
        self, session: Session, parent: QWidget, plan_of: PlanSource, worker: TrainerViewWorker | None = None
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.setObjectName("seen-window")
        self.setWindowTitle("What the trainer sees")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.ended = False
        self._session = session
        self._plan_of = plan_of
        self._load_result: LoadResult | None = None
        self._epochs: dict[TrainingSettings, int] = {}  # of trainings, which may be more than their recipe's
        self._runs = Background("Reading the runs", runs.runs, self)
        worker = worker or TrainerViewWorker()
        self.wants_trained = False
        self.controls = Controls()
        self.panes = (DetectorPane("seen", "Detector"), DetectorPane("seen-second", "Second detector"))
        self.legend = SymbolLegend()
        self._files = ElidedLabel()
        self._files.setObjectName("seen-files")
        self._files.setProperty("role", "muted")
        self.whole = WholeSet(session, worker.files)
        self.scheduler = RequestScheduler(session, self.controls, self.panes, worker, self)
        self._navigator = ImageNavigator(session, self.controls, self)
        self._lay_out()
        self._connect()
        self._make_actions()
        self._show_second(False)
        window_geometry.restore(self, _GEOMETRY, SIZE, SMALLEST)

    def _lay_out(self) -> None:
        pictures = QSplitter(childrenCollapsible=False)
        for number, pane in enumerate(self.panes):
            pictures.addWidget(pane)
            pictures.setStretchFactor(number, 1)
        self._pictures = pictures
        self._legend_on = QCheckBox("Legend")
        self._legend_on.setObjectName("seen-legend-on")
        self._legend_on.setToolTip("What the signs in the picture mean")
        self._legend_on.setChecked(preferences.flag(_LEGEND, True))
        foot = QHBoxLayout()
        foot.setSpacing(2 * theme.GRID)
        foot.addWidget(self._files, 1)
        for switch in (self.controls.ignored, self.controls.negatives, self._legend_on):
            foot.addWidget(switch)
        image = QWidget()
        column = QVBoxLayout(image)
        column.setContentsMargins(0, theme.GRID, 0, 0)
        column.setSpacing(theme.GRID)
        column.addWidget(self.controls)
        column.addWidget(pictures, 1)
        column.addWidget(self.legend)
        column.addLayout(foot)
        self.tabs = QTabWidget()
        self.tabs.setObjectName("seen-tabs")
        self.tabs.addTab(image, "This image")
        self.tabs.addTab(self.whole, "Whole set")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * theme.GRID, theme.GRID, 2 * theme.GRID, 2 * theme.GRID)
        layout.addWidget(self.tabs)

    def _connect(self) -> None:
        self.scheduler.loaded.connect(self._loaded)
        self.scheduler.assigned.connect(self._show)
        self.scheduler.checked.connect(self._files_checked)
        self.controls.changed.connect(self.scheduler.request_later)
        self.controls.drawn_changed.connect(self._draw)
        self.controls.comparison_toggled.connect(self._show_second)
        self._legend_on.toggled.connect(self._legend_toggled)
        for pane in self.panes:
            pane.changed.connect(self._pane_changed)
            pane.box_chosen.connect(self._box_chosen)
        self.whole.chosen.connect(self._show_missed)
        self.whole.gallery_requested.connect(self._show_gallery)
        self.tabs.currentChanged.connect(self._tab_changed)
        self._session.image_changed.connect(self._image_changed)
        self._session.edited.connect(self._edited)
        self._session.runs_changed.connect(self._read_runs)
        self._runs.done.connect(self._show_runs)
        self._session.closing.connect(self._end)

    def _make_actions(self) -> None:
        """Their shortcuts work in this window; Ctrl+K finds them while it is visible."""
        controls, window = self.controls, Qt.ShortcutContext.WindowShortcut
        made = [
            make_action(self, name, slot, context=window)
            for name, slot in (
                ("seen-augmented", controls.augmented.click),
                ("seen-epoch", lambda: controls.epoch.stepBy(int(controls.epoch.isEnabled()))),
                ("seen-epoch-back", lambda: controls.epoch.stepBy(-int(controls.epoch.isEnabled()))),
                ("seen-view", lambda: controls.step_view(1)),
                ("seen-view-back", lambda: controls.step_view(-1)),
                ("seen-roll", controls.roll.click),
                ("seen-roll-back", controls.back.click),
                ("seen-compare", controls.beside.click),
            )
        ]
        self._arrows = (self.addAction("Next image"), self.addAction("Previous image"))
        self._arrows[0].triggered.connect(lambda: self._navigator.step(1))
        self._arrows[1].triggered.connect(lambda: self._navigator.step(-1))
        self._commands = (*made, *self._arrows)

    def _renew_keys(self) -> None:
        """The Label page's keys step through the images."""
        for action, command in zip(self._arrows, ("next-image", "previous-image"), strict=True):
            action.setShortcuts([QKeySequence(key) for key in keys.of(command)])
        self.controls.show_keys()

    # --- what the train page is set to ---

    def _begin(self) -> None:
        document = self._session.document
        if document is None:
            self.panes[0].refuse("No project is open. Open one, or make one from a folder of photographs.")
            return
        self._navigator.show()
        self.panes[0].picture.say("Loading PyTorch …", "muted")
        self.scheduler.load(document.runs_folder)

    @Slot(object)
    def _loaded(self, result: object) -> None:
        if not isinstance(result, LoadResult):
            self.panes[0].show_result(result)
            return
        self._load_result = result
        names = [choice.name for choice in result.loaded.detectors]
        for pane, first in zip(self.panes, (names[0], SECOND if SECOND in names else names[-1]), strict=True):
            pane.fill(result.loaded.detectors, result.runs, first)
        if self.isVisible():
            self.adopt_settings()
            self._tab_changed(self.tabs.currentIndex())

    @Slot()
    def _read_runs(self) -> None:
        document = self._session.document
        if document is not None and self._load_result is not None and self.isVisible():
            self._runs.ask([document.runs_folder])

    @Slot(object, object)
    def _show_runs(self, _folder: object, found: object) -> None:
        if isinstance(found, tuple):
            for pane in self.panes:
                pane.offer_runs(found)
            self.scheduler.request_later()  # the chosen one may have disappeared, or have better weights

    def go_through_all(self) -> None:
        """When the window is opened again, images behind a number of the whole set are no longer of interest."""
        self._navigator.go_through((), "")

    def adopt_settings(self, *, again: bool = True) -> None:
        """Take over the Train page's current settings. `again`: with its detector too, if another was chosen here."""
        if self._load_result is None or not self.isVisible():
            return
        scheduler, before = self.scheduler, self.scheduler.plan
        try:
            scheduler.plan, scheduler.problem = self._plan_of() or self._first_preset(self._load_result), ""
        except WorkbenchError as error:
            scheduler.plan, scheduler.problem = None, error.sentence
        scheduler.resume()
        if scheduler.plan is not None:
            detector = scheduler.plan.recipe.detector
            if again or before is None or before.recipe.detector != detector:
                self.panes[0].choose(detector)
            self._show_plan(scheduler.plan, self._load_result)
        scheduler.request_later()

    def _first_preset(self, load_result: LoadResult) -> TrainingPlan | None:
        """What the Train page will choose when it is first shown: all that the newest run was trained with."""
        recipes, document = {recipe.name: recipe for recipe in load_result.loaded.recipes}, self._session.document
        if document is None or not recipes:
            return None
        if (last := first_recipe.last_settings(load_result.runs, recipes)) is not None:
            return TrainingPlan(*last)
        training = next(iter(recipes.values())).training
        name = first_recipe.suggested_recipe_of(document, load_result.runs, tuple(recipes), training)
        return TrainingPlan(recipes.get(name) or next(iter(recipes.values())))

    def _show_plan(self, plan: TrainingPlan, load_result: LoadResult) -> None:
        recipe = plan.recipe
        for pane in self.panes:
            pane.offer_start(plan.start, recipe.detector)
        changed = differences.differences(recipe)
        title = f"{recipe.title}, {len(changed)} changed" if changed else recipe.title
        help = differences.sentence(recipe, changed) or "Its settings are as its file has them."
        self.controls.show_recipe(f"Recipe: {title}", f"The recipe on the Train page, {recipe.title}. {help}")
        self._offer_epochs()
        self.whole.offer([choice.name for choice in load_result.loaded.detectors], recipe)

    def _offer_epochs(self) -> None:
        """Of the first detector's training: the second uses it, too."""
        if self.scheduler.plan is not None:
            training = self.scheduler.recipe_of(0)[0].training
            self.controls.offer(self._epochs.get(training, training.epochs), training.seed)

    def _learn_length(self, result: object) -> None:
        """With few images a training is longer than its recipe says: an assignment tells by how much."""
        if isinstance(result, AssignmentResult) and result.epochs and self.scheduler.plan is not None:
            self._epochs[self.scheduler.recipe_of(0)[0].training] = result.epochs
            self._offer_epochs()

    # --- what came ---

    @Slot(object)
    def _files_checked(self, found: object) -> None:
        assert isinstance(found, FileCheckResult)
        self._files.setText(found.words)
        self._files.setToolTip("\n".join(found.problems))

    @Slot(int, object)
    def _show(self, number: int, result: object) -> None:
        pane, other = self.panes[number], self.panes[1 - number]
        if number and isinstance(result, AssignmentResult) and other.assignment is not None:
            pane.show_assignment(
                result, matching_colour_indices(result, other.assignment, other.picture.colour_indices)
            )
        else:
            pane.show_result(result)
        if not number:
            self._learn_length(result)
            self._go_to_trained(result)
            self._navigator.show(result.exclusion_reason if isinstance(result, AssignmentResult) else "")
            if isinstance(result, AssignmentResult):
                self.controls.show_view(result.view, result.tiles, result.view_name)
            if isinstance(result, AssignmentResult) and other.assignment is not None:
                other.recolour(matching_colour_indices(other.assignment, result, pane.picture.colour_indices))
        self._draw()
        self._show_legend()

    def _go_to_trained(self, result: object) -> None:
        """A person asking what the trainer sees wants a trained image, not one that happens to be selected."""
        if isinstance(result, AssignmentResult) and self.wants_trained:
            self.wants_trained = False
            if result.exclusion_reason and result.next_trained:
                self._session.select_image(result.next_trained)
                self._session.inform(f"Not trained on: {result.exclusion_reason}. Here is the next image that is.")

    def _show_legend(self) -> None:
        panes = self.panes if self.controls.beside.isChecked() else self.panes[:1]
        self.legend.show_assignments([pane.assignment for pane in panes if pane.assignment is not None])

    # --- choosing ---

    @Slot()
    def _draw(self) -> None:
        for pane in self.panes:
            pane.picture.shows_ignored = self.controls.ignored.isChecked()
            pane.picture.shows_negatives = self.controls.negatives.isChecked()
            pane.picture.renew()

    @Slot(bool)
    def _legend_toggled(self, on: bool) -> None:
        preferences.put(_LEGEND, on)
        self.legend.setVisible(on)

    @Slot()
    def _pane_changed(self) -> None:
        if self.sender() is self.panes[0]:
            self._offer_epochs()
        self.scheduler.request_later()

    @Slot(bool)
    def _show_second(self, on: bool) -> None:
        self.panes[1].setVisible(on)
        self.panes[0].setContentsMargins(0, 0, theme.GRID if on else 0, 0)
        self.panes[1].setContentsMargins(theme.GRID, 0, 0, 0)
        self._pictures.setSizes([1_000_000] * 2)  # halves
        self.legend.setVisible(self._legend_on.isChecked())
        self._show_legend()
        self.scheduler.request_later()

    @Slot(int)
    def _box_chosen(self, box: int) -> None:
        """Select the same box on the other side."""
        pane = self.sender()
        other = self.panes[0] if pane is self.panes[1] else self.panes[1]
        assert isinstance(pane, DetectorPane)
        if pane.assignment is not None and other.assignment is not None:
            other.choose_box(pane.assignment.same_box_in(box, other.assignment) if box >= 0 else -1)

    @Slot(int)
    def _image_changed(self, _id: int) -> None:
        self._navigator.show()
        self.scheduler.request_later()

    @Slot(object)
    def _edited(self, _applied: object) -> None:
        self.scheduler.forget()
        self._epochs.clear()
        self.whole.forget()
        self.scheduler.request_later()

    # --- the whole set ---

    @Slot(int)
    def _tab_changed(self, tab: int) -> None:
        if tab == 1 and self.whole.is_blank and self._load_result is not None:
            self.whole.count()

    @Slot(str, object, str)
    def _show_missed(self, detector: str, images: tuple[int, ...], words: str) -> None:
        """Show images with boxes that the detector is not trained on, without augmentation: so they were counted."""
        self.panes[0].choose(detector)
        self._offer_epochs()
        self.controls.want_augmented(False)
        self.tabs.setCurrentIndex(0)
        self._navigator.go_through(images, words)
        self.scheduler.request_later()

    @Slot(object, str)
    def _show_gallery(self, images: tuple[int, ...], words: str) -> None:
        self._session.page_requested.emit("data")
        self._session.images_requested.emit(frozenset(images), words.removeprefix("images "))

    # --- coming and going ---

    def hideEvent(self, event: QHideEvent) -> None:
        """Closed: it may be shown again, but does nothing until then."""
        self.whole.stop()
        self.scheduler.suspend()
        window_geometry.save(self, _GEOMETRY)
        for action in self._commands:
            action.setEnabled(False)
        super().hideEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._renew_keys()
        for action in self._commands:
            action.setEnabled(True)
        if self._load_result is not None:
            self.adopt_settings(again=False)
            self._read_runs()
        elif self.scheduler.is_idle:
            self._begin()

    @Slot()
    def _end(self) -> None:
        """The project is closed: destroy this window, once its thread has ended."""
        self.ended = True
        self.hide()
        self._runs.close()
        self.scheduler.shut_down()
        self.deleteLater()
