"""Trained networks from files that the user chooses for suggestions, loaded in the background."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from workbench.inference.suggesting import model_files
from workbench.inference.suggesting.model_files import PreparedModel
from workbench.ui import preferences
from workbench.ui.background import Background
from workbench.ui.widgets.file_dialogs import ask_for_file

_LAST = "label/suggest-file"


def prepare_file(request: tuple[Path, Path]) -> PreparedModel:
    """Runs in a thread: PyTorch and the plugins are loaded here."""
    from workbench import plugins

    plugins.loaded()
    return model_files.prepare_model(*request)


class SuggestFiles(QObject):
    """`loaded(file, PreparedModel or WorkbenchError)` after `choose` or `read`. Loaded ones are in `ready`."""

    loaded = Signal(object, object)

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        self._owner = owner
        self._background = Background("Reading a network", prepare_file, self)
        self._background.done.connect(self._done)
        self.ready: list[PreparedModel] = []
        self.reading: Path | None = None

    def choose(self, cache: Path) -> None:
        """Ask for a file and read it. Its converted form is stored in `cache`."""
        if (chosen := ask_for_file(self._owner, "A trained network", model_files.FILES)) is not None:
            self.read(chosen, cache)

    @property
    def last(self) -> Path | None:
        """The file chosen last, perhaps before a restart, if it exists and is not read yet."""
        kept = Path(str(preferences.get(_LAST, "")))
        return kept if kept.name and kept.is_file() and all(one.source != kept for one in self.ready) else None

    def read(self, file: Path, cache: Path) -> None:
        self.reading = file
        self._background.ask([(file, cache)])

    @Slot(object, object)
    def _done(self, request: tuple[Path, Path], result: object) -> None:
        if request[0] != self.reading:
            return
        self.reading = None
        if isinstance(result, PreparedModel):
            self.ready = [*(one for one in self.ready if one.source != result.source), result]
            preferences.put(_LAST, str(result.source))
        self.loaded.emit(request[0], result)

    def forget(self) -> None:
        """Another project is open: what was loaded is in the last one's cache."""
        self.ready, self.reading = [], None

    def close_down(self) -> None:
        """The window closes: wait for the file being read."""
        self._background.close()
