"""The head of the import window: what is read, as which format, where its images are, and choices when they matter."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from workbench import formats
from workbench.exchange import ImportSettings
from workbench.ui import theme
from workbench.ui.widgets.dropped_files import local_paths
from workbench.ui.widgets.file_dialogs import ask_for_file, ask_for_folder, typed_path
from workbench.ui.widgets.popups import Combo

_BASES = (("1 or 0, whichever the boxes show", "auto"), ("1, as VOC rules", "1"), ("0, as many programs do", "0"))
_SIZES = (("take its pixels as they are", "keep"), ("scale its boxes to the image", "scale"))
_FILES = "Labels (*.json *.xml *.yaml *.yml *.txt *.csv *.data *.vott *.zip);;All files (*)"
_EXISTING = (
    ("keep what is here", "update"),
    ("take what the file says", "replace"),
    ("keep it and add the file's boxes", "add"),
)


class ImportChoices(QWidget):
    """`read_requested`: the files are to be read (again); before it `others_chosen` where they are others.

    `splits_changed`: only what is done with them is otherwise.
    """

    read_requested = Signal()
    others_chosen = Signal()
    splits_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._path = _field("import-path", "Folder or file to import", "A folder, a file or a .zip: drop it here")
        self._images = _field("import-images", "Folder of the images", "beside the labels, or those of the project")
        self._images.setToolTip("Only if the images are neither beside the labels nor in the project yet.")
        self._format = _combo("import-format", "Format of the labels", (("Recognised by its content", ""),))
        formats_ = sorted((member.title, name) for name, member in formats.load_all())
        for title, name in formats_:
            self._format.addItem(title, name)
        self._base = _combo("import-base", "Number of the first pixel", _BASES)
        self._base.setToolTip("VOC counts pixels from 1; many programs write VOC files that count from 0.")
        self._size = _combo("import-size", "Images of another size than annotated", _SIZES)
        self._splits = QCheckBox("Take the files' splits")
        self._splits.setObjectName("import-splits")
        self._splits.setToolTip("Images that have a split in the project keep it.")
        self._splits.setChecked(True)
        self._skip = QCheckBox("Leave out what is damaged, and take the rest")
        self._skip.setObjectName("import-skip")
        self._lay_out()
        self._path.returnPressed.connect(self._entered)
        self._entered_path = ""
        self._images.editingFinished.connect(self._images_edited)
        self._known_images = ""
        for combo in (self._format, self._base, self._size):
            combo.activated.connect(self.read_requested)
        self._skip.clicked.connect(self.read_requested)
        self._splits.clicked.connect(self.splits_changed)
        self.show_what_matters("", sized=False, splits=False)

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(theme.GRID)
        paths = QHBoxLayout()
        paths.addWidget(self._path, 1)
        paths.addWidget(button("import-folder", "Folder…", self.choose_folder))
        paths.addWidget(button("import-file", "File…", self.choose_file))
        row = QHBoxLayout()
        row.setSpacing(theme.GRID)
        row.addWidget(self._format)
        row.addWidget(_word("Images", self._images))
        row.addWidget(self._images, 1)
        row.addWidget(button("import-images-folder", "Folder…", self.choose_images, "Folder of the images"))
        self._base_word, self._size_word = _word("The first pixel is", self._base), _word("Other size", self._size)
        self._matters = QWidget()
        line = QHBoxLayout(self._matters)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(theme.GRID)
        for widget in (self._base_word, self._base, self._size_word, self._size, self._splits, self._skip):
            line.addWidget(widget)
        line.addStretch(1)
        grid.addWidget(_word("Labels", self._path), 0, 0)
        grid.addLayout(paths, 0, 1)
        grid.addWidget(_word("Format", self._format), 1, 0)
        grid.addLayout(row, 1, 1)
        grid.addWidget(self._matters, 2, 1)

    # --- what is chosen ---

    @property
    def path(self) -> Path | None:
        return typed_path(self._path.text())

    @property
    def format(self) -> str:
        """Its name, "" to recognise it."""
        return str(self._format.currentData())

    @property
    def images(self) -> Path | None:
        return typed_path(self._images.text())

    def settings(self, on_existing: str) -> ImportSettings:
        return ImportSettings(
            skip_broken=self._skip.isChecked(),
            voc_base=str(self._base.currentData()),
            on_existing=on_existing,
            on_size=str(self._size.currentData()),
            splits=self._splits.isChecked(),
        )

    def set_path(self, path: Path) -> None:
        """Another thing is to be read: as whatever format it is, with nothing left out unasked."""
        self._path.setText(str(path))
        self._format.setCurrentIndex(0)
        self._entered_path = ""
        self._entered()

    @Slot()
    def _entered(self) -> None:
        if self._path.text() != self._entered_path:
            self._entered_path = self._path.text()
            self.reset_consent()
            self.others_chosen.emit()
        self.read_requested.emit()

    def reset_consent(self) -> None:
        """Other files: nothing of them is left out unasked."""
        self._skip.setChecked(False)

    def ask_for_path(self) -> None:
        """What was entered is nothing: the next letter replaces it."""
        self._path.setFocus()
        self._path.selectAll()

    @Slot()
    def leave_out_damage(self) -> None:
        self._skip.setChecked(True)
        self.read_requested.emit()

    # --- what matters ---

    def show_what_matters(self, format: str, *, sized: bool, splits: bool) -> None:
        """Only choices that change something: by the format, images of other sizes, splits in the files."""
        for widget, is_shown in (
            (self._base_word, format == "voc"),
            (self._base, format == "voc"),
            (self._size_word, sized or self._size.currentIndex() > 0),
            (self._size, sized or self._size.currentIndex() > 0),
            (self._splits, splits),
            (self._skip, self._skip.isChecked()),
        ):
            widget.setVisible(is_shown)
        shown = (self._base, self._size, self._splits, self._skip)
        self._matters.setVisible(any(not widget.isHidden() for widget in shown))

    def show_format(self, name: str) -> None:
        """What was recognised; "": nothing yet."""
        known = f"Recognised: {formats.formats.get(name).title}" if name else "Recognised by its content"
        self._format.setItemText(0, known)

    def offer(self, names: tuple[str, ...]) -> None:
        """The format is not clear: the first of these is proposed, and a person chooses."""
        self.show_format("")
        self._format.setFocus()
        for number, name in enumerate(names):
            place = self._format.findData(name)
            title = self._format.itemText(place)
            self._format.removeItem(place)
            self._format.insertItem(1 + number, title, name)

    # --- choosing ---

    @Slot()
    def choose_folder(self) -> None:
        self._chosen(ask_for_folder(self, "Folder of labels"))

    @Slot()
    def choose_file(self) -> None:
        self._chosen(ask_for_file(self, "File of labels", _FILES))

    def _chosen(self, path: Path | None) -> None:
        if path is not None:
            self.set_path(path)

    @Slot()
    def choose_images(self) -> None:
        if chosen := ask_for_folder(self, "Folder of the images"):
            self._images.setText(str(chosen))
            self._images_edited()

    @Slot()
    def _images_edited(self) -> None:
        if self._images.text().strip() != self._known_images:
            self._known_images = self._images.text().strip()
            if self.path is not None:
                self.read_requested.emit()


def _field(name: str, accessible: str, hint: str) -> QLineEdit:
    made = QLineEdit(placeholderText=hint)
    made.setObjectName(name)
    made.setAccessibleName(accessible)
    made.setAcceptDrops(False)  # what is dropped is the window's
    return made


def _combo(name: str, accessible: str, entries: tuple[tuple[str, str], ...]) -> QComboBox:
    made = Combo()
    made.setObjectName(name)
    made.setAccessibleName(accessible)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    for word, value in entries:
        made.addItem(word, value)
    return made


def button(name: str, word: str, slot: object, accessible: str = "") -> QPushButton:
    """Not a default button: Enter in a field must not press whichever comes first."""
    made = QPushButton(word, autoDefault=False)
    made.setObjectName(name)
    made.setAccessibleName(accessible or word)
    made.clicked.connect(slot)
    return made


def _word(text: str, buddy: QWidget) -> QLabel:
    made = QLabel(text)
    made.setBuddy(buddy)
    made.setAlignment(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
    return made


def dropped(event: QDropEvent) -> Path | None:
    """The one folder or file."""
    paths = local_paths(event)
    return paths[0] if len(paths) == 1 else None


def existing_box() -> QComboBox:
    """What becomes of images that the project has otherwise."""
    box = Combo()
    box.setObjectName("import-existing")
    box.setAccessibleName("What becomes of images that differ")
    for word, value in _EXISTING:
        box.addItem(word, value)
    return box
