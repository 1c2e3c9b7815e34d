"""The rows above the pictures: image, recipe, augmented or not, epoch, another random seed, what is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from workbench.core.snapshot_views import FULLEST
from workbench.ui import keys, theme
from workbench.ui.actions import key_text
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.widgets.spin_boxes import spin_box


class Controls(QWidget):
    """`changed`: a new request is needed; `drawn_changed`: the same one, drawn differently; `stepped(±1)`: next image.

    `comparison_toggled`: a second detector is wanted, or no longer; `all_requested`: step through all again. The owner
    lays out the switches `ignored` and `negatives`.
    """

    changed = Signal()
    drawn_changed = Signal()
    stepped = Signal(int)
    comparison_toggled = Signal(bool)
    all_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._seed = 0  # the recipe's
        self._roll = 0  # 0: the recipe's own seed
        self._wanted = True  # augmented, if possible
        self._exclusion_reason = ""
        self._image = ""
        self._view_wanted = FULLEST
        self._view, self._tiles = 0, 0  # what is shown, and how many tiles the image has
        self.image = ElidedLabel()
        self.image.setObjectName("seen-image")
        self.image.setFont(theme.font(bold=True))
        self.recipe = ElidedLabel()
        self.recipe.setObjectName("seen-recipe")
        self.recipe.setProperty("role", "muted")
        self.previous = _arrow("seen-previous", "mdi6.chevron-left", "Previous image")
        self.next = _arrow("seen-next", "mdi6.chevron-right", "Next image")
        self.view = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)  # of an image in tiles
        self.view.setObjectName("seen-view")
        self.view.setMinimumWidth(
            self.view.fontMetrics().horizontalAdvance("The whole image ")
        )  # so that nothing jumps
        self.view_back = _arrow("seen-view-previous", "mdi6.chevron-left", "Previous tile")
        self.view_on = _arrow("seen-view-next", "mdi6.chevron-right", "Next tile")
        self.among = ElidedLabel()  # which images are stepped through, if not all
        self.among.setObjectName("seen-among")
        self.all = _arrow("seen-all", "mdi6.close", "Step through all images again")
        for part in (self.among, self.all, self.view_back, self.view, self.view_on):
            part.hide()
        self.beside = _check("seen-beside", "Compare", "A second detector beside the first, on the same image")
        self.augmented = _check("seen-augmented", "Augmented", "")
        self.epoch = spin_box(minimum=1, maximum=1)
        self.epoch.setObjectName("seen-epoch")
        self.epoch.setAccessibleName("Epoch")
        self.epoch.setPrefix("Epoch ")
        self.roll = QPushButton("Another seed", autoDefault=False)
        self.roll.setObjectName("seen-roll")
        self.back = QPushButton("The recipe's seed", autoDefault=False)
        self.back.setObjectName("seen-roll-back")
        self.seed = ElidedLabel()
        self.seed.setObjectName("seen-seed")
        self.seed.setProperty("role", "muted")
        self.ignored = _check("seen-ignored", "Ignored", "Hatched: neither object nor background")
        self.negatives = _check(
            "seen-negatives",
            "Negatives used",
            "Crosses: the negatives that the loss uses, where it doesn't use all of them",
        )
        for box in (self.ignored, self.negatives):
            box.setChecked(True)
        self._commands: dict[QWidget, str] = {
            self.previous: "previous-image", self.next: "next-image", self.beside: "seen-compare",
            self.view_on: "seen-view", self.view_back: "seen-view-back",
            self.augmented: "seen-augmented", self.epoch: "seen-epoch", self.roll: "seen-roll",
            self.back: "seen-roll-back",
        }  # fmt: skip
        self._lay_out()
        self._connect()
        self.show_keys()

    def _lay_out(self) -> None:
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(theme.GRID)
        for widgets in (
            (
                self.previous, self.next, self.image, self.view_back, self.view, self.view_on, self.among, self.all,
                self.recipe, self.beside,
            ),
            (self.augmented, self.epoch, self.roll, self.back, self.seed),
        ):  # fmt: skip
            row = QHBoxLayout()
            row.setSpacing(theme.GRID)
            for widget in widgets:
                row.addWidget(widget, int(widget in (self.image, self.among, self.recipe, self.seed)))
            rows.addLayout(row)

    def _connect(self) -> None:
        self.previous.clicked.connect(lambda: self.stepped.emit(-1))
        self.next.clicked.connect(lambda: self.stepped.emit(1))
        self.all.clicked.connect(self.all_requested)
        self.view_back.clicked.connect(lambda: self.step_view(-1))
        self.view_on.clicked.connect(lambda: self.step_view(1))
        self.beside.toggled.connect(self.comparison_toggled)
        self.augmented.toggled.connect(self._augmented_toggled)
        self.epoch.valueChanged.connect(self.changed)
        self.roll.clicked.connect(self._another)
        self.back.clicked.connect(self._own)
        self.ignored.toggled.connect(self.drawn_changed)
        self.negatives.toggled.connect(self.drawn_changed)

    # --- what is offered ---

    def offer(self, epochs: int, seed: int) -> None:
        """Set the recipe's values."""
        self._seed = seed
        self.epoch.blockSignals(True)
        self.epoch.setMaximum(epochs)
        self.epoch.setSuffix(f" of {epochs:,}")
        self.epoch.blockSignals(False)
        self._enable()

    def show_recipe(self, title: str, help: str) -> None:
        self.recipe.setText(title)
        self.recipe.setToolTip(help)

    def show_image(self, path: str, why_not: str = "") -> None:
        """`why_not`: the image is not trained on, so it can only be shown without augmentation."""
        if path != self._image:
            self._image, self._view_wanted = path, FULLEST
            self.show_view(0, 0, "")
        self.image.setText(path)
        self.image.setToolTip(path)
        self._exclusion_reason = why_not
        self._enable()

    def show_view(self, view: int, tiles: int, name: str) -> None:
        """Which view of an image in tiles is shown, by its number and its name, and how many tiles there are."""
        self._view, self._tiles = view, tiles
        for part in (self.view_back, self.view, self.view_on):
            part.setVisible(tiles > 0)
        self.view.setText(f"{name[:1].upper()}{name[1:]}")
        self.view.setToolTip("A large image is seen as a whole and in tiles. First shown is the tile with most boxes.")
        self.view_back.setEnabled(view > 0)
        self.view_on.setEnabled(view < tiles)

    def show_among(self, ids: Sequence[int], image: int, words: str) -> None:
        """Say that the arrows step through these images, and the position among them."""
        place = f"{ids.index(image) + 1:,} of " if image in ids else ""
        for part in (self.among, self.all):
            part.setVisible(bool(ids))
        self.among.setText(f"{place}{len(ids):,} {words}")
        self.among.setToolTip(f"The arrows step through the {len(ids):,} {words}.")

    def show_ends(self, first: bool, last: bool) -> None:
        """Whether this is the first image, and whether the last."""
        self.previous.setEnabled(not first)
        self.next.setEnabled(not last)

    def show_keys(self) -> None:
        """Show the keys in force in the tooltips."""
        self._tell(self.previous, "Previous image")
        self._tell(self.next, "Next image")
        self._tell(self.beside, "A second detector beside the first, on the same image")
        self._tell(self.view_back, "Previous tile")
        self._tell(self.view_on, "Next tile")
        self._enable()

    # --- what is wanted ---

    @property
    def wants_augmented(self) -> bool:
        return self._wanted

    def want_augmented(self, on: bool) -> None:
        """Without a signal."""
        self._wanted = on
        self._enable()

    @property
    def view_wanted(self) -> int:
        """Its number, see snapshot_views.FULLEST."""
        return self._view_wanted

    @Slot(int)
    def step_view(self, by: int) -> None:
        """Ask for the next (1) or previous (-1) view of the image: the whole, then its tiles."""
        if 0 <= self._view + by <= self._tiles and self._tiles:
            self._view += by
            self._view_wanted = self._view
            self.view_back.setEnabled(self._view > 0)
            self.view_on.setEnabled(self._view < self._tiles)
            self.changed.emit()

    @property
    def seed_wanted(self) -> int | None:
        """None for the recipe's own."""
        return self._seed + self._roll if self._roll else None

    @Slot(bool)
    def _augmented_toggled(self, on: bool) -> None:
        self._wanted = on
        self._enable()
        self.changed.emit()

    @Slot()
    def _another(self) -> None:
        self._roll += 1
        self._enable()
        self.changed.emit()

    @Slot()
    def _own(self) -> None:
        self._roll = 0
        self._enable()
        self.changed.emit()

    def _enable(self) -> None:
        """Enable what can be chosen for this image, and say why the rest can't."""
        on, not_trained = self._wanted and not self._exclusion_reason, f"Not trained on: {self._exclusion_reason}"
        self.augmented.blockSignals(True)
        self.augmented.setChecked(on)
        self.augmented.blockSignals(False)
        self.augmented.setEnabled(not self._exclusion_reason)
        self._tell(
            self.augmented, not_trained if self._exclusion_reason else "As augmented in training; off: only resized"
        )
        for widget, help in (
            (self.epoch, "The epoch of the training. Mosaic and the like can be off in the last ones."),
            (self.roll, "Augment it with another random seed"),
            (self.back, "Augment it with the recipe's seed, as the training does"),
        ):
            widget.setEnabled(on)
            self._tell(
                widget,
                help if on else not_trained if self._exclusion_reason else "Not augmented, so nothing is random",
            )
        self.back.setEnabled(on and self._roll > 0)
        rolled = f"seed {self._seed + self._roll}" if on and self._roll else ""
        self.seed.setText("Not trained on: shown as it is" if self._exclusion_reason else rolled)
        self.seed.setToolTip(not_trained if self._exclusion_reason else "")

    def _tell(self, widget: QWidget, words: str) -> None:
        """Set the tooltip, with the key of its command."""
        own = keys.of(self._commands[widget])
        widget.setToolTip(f"{words}  ({key_text(own[0])})" if own else words)


def _check(name: str, text: str, help: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setObjectName(name)
    box.setToolTip(help)
    return box


def _arrow(name: str, icon: str, words: str) -> QToolButton:
    button = QToolButton(autoRaise=True)
    button.setObjectName(name)
    button.setAccessibleName(words)
    button.setToolTip(words)
    theme.set_icon(button, icon)
    return button
