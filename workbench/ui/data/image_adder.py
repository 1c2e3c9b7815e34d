"""Adding images to an open project: a folder, chosen or dropped files, frames of a video. Read in jobs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QInputDialog, QWidget

from workbench.core import formatting
from workbench.core.files import IMAGE_SUFFIXES, SkippedFiles, gather_images
from workbench.errors import WorkbenchError
from workbench.ui.data.image_reader import ImagesDescribed, describe_images, extract_frames
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.widgets.file_dialogs import ask_for_file, ask_for_files, ask_for_folder


class ImageAdder(QObject):
    """For the page `parent`, over which its dialogs open."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._page = session, parent

    @Slot()
    def choose_folder(self) -> None:
        if self._session.may_change() and (chosen := ask_for_folder(self._page, "The folder of your photographs")):
            self.add_folder(chosen)

    @Slot()
    def choose_files(self) -> None:
        if not self._session.may_change():
            return
        endings = " ".join(f"*{ending}" for ending in sorted(IMAGE_SUFFIXES))
        self.add(ask_for_files(self._page, "Photographs", f"Images ({endings})"))

    def add(self, paths: Sequence[Path]) -> None:
        """Add files, and folders with everything below them."""
        if not self._session.may_change():
            return
        folders = [path for path in paths if os.path.isdir(path)]
        left_out = SkippedFiles()
        named, others = gather_images([path for path in paths if path not in folders], left_out)
        for folder in folders:
            self.add_folder(folder)
        for folder, names in named.items():
            self.add_folder(folder, names)
        if left_out.sentence:
            self._session.message.emit("warning", left_out.sentence)
        elif others and not folders and not named:
            name = others[0].name if len(others) == 1 else f"None of the {len(others):,} files"
            self._session.report_error(
                WorkbenchError(f"{name} is not an image. Use Import labels for labels, and Add video for a video.")
            )

    def add_folder(self, folder: Path, names: Sequence[str] | None = None) -> None:
        """Add the images below `folder` that the project doesn't have, or only those with these names."""
        document = self._session.document
        if document is None:
            return
        job = Job(f"Reading {folder.name}", lambda _: describe_images(folder, document.folder, names), self)
        job.reported.connect(self._described)
        self._session.start(job)

    @Slot()
    def choose_video(self) -> None:
        from workbench.core.decoding import video  # imports cv2, which the window does not wait for

        if not self._session.may_change():
            return
        endings = " ".join(f"*{ending}" for ending in sorted(video.VIDEO_SUFFIXES))
        chosen = ask_for_file(self._page, "A video", f"Videos ({endings});;All files (*)")
        if chosen is None:
            return
        try:
            frames, rate = video.frame_count(chosen), video.frame_rate(chosen)
        except WorkbenchError as error:
            self._session.report_error(error)
            return
        about = (f"{frames:,} frames" if frames else "A video") + (f", {rate:.3g} a second" if rate else "")
        every, agreed = QInputDialog.getInt(
            self._page,
            "Add frames of a video",
            f"{about}. Take every n-th:",
            max(1, round(rate)),
            1,
            frames or 1_000_000,
        )
        if agreed:
            self.add_video(chosen, every)

    def add_video(self, file: Path, every: int) -> None:
        """Keep every `every`-th frame in the project's folder and add it, in a job; stopping keeps what was read."""
        document = self._session.document
        if document is None:
            return
        job = Job(
            f"Frames of {file.name}",
            lambda job: extract_frames(file, document.folder, every, job),
            self,
            ends_itself=True,
        )
        job.reported.connect(self._described)
        self._session.start(job)

    @Slot(object)
    def _described(self, event: object) -> None:
        document = self._session.document
        if not isinstance(event, ImagesDescribed) or document is None:
            return
        if event.project != document.folder:
            return  # that project was closed; adding it again will find what was read
        try:
            added = document.add_described(event.folder, event.images)
        except WorkbenchError as error:
            self._session.report_error(error)
            return
        broken = sum(bool(image.problem) for image in added)
        summary = f"{formatting.count(len(added), 'image')} added."
        if not added:
            self._session.inform(
                f"{'This image was' if len(event.images) == 1 else 'All of these images were'} there already."
            )
        elif broken:
            which = "It" if len(added) == 1 else f"{broken:,} of them"
            self._session.message.emit("warning", f"{summary} {which} can't be read: Check the data says why.")
        else:
            self._session.inform(summary)
        if event.left_out:
            self._session.message.emit("warning", event.left_out)
        if not self._session.image_id:
            self._session.select_image(document.images()[0].id)
