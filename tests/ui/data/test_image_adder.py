"""Adding images where it can't end well: a project that is only read, a video without a frame to keep."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QLabel

from tests.ui.window_driver import Open, find
from workbench.core.decoding import video
from workbench.core.document import Document
from workbench.errors import Refused
from workbench.ui.data.image_reader import extract_frames
from workbench.ui.data.page import DataPage
from workbench.ui.job import Job


def test_nothing_is_read_for_a_project_that_this_window_may_not_change(
    open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder was read for minutes, or the frames of a video written into the project, before it was said."""
    for ask in ("getExistingDirectory", "getOpenFileName", "getOpenFileNames"):
        monkeypatch.setattr(QFileDialog, ask, lambda *_: pytest.fail("asked for nothing"))
    with Document.open(project):
        window = open_window(project, "data")
        said = find(window, QLabel, "message-text")
        for name in ("add-images", "add-files", "add-video"):
            said.clear()
            find(window, QAction, f"action-{name}").trigger()
            assert "being edited by" in said.text(), name
        said.clear()
        find(window, DataPage, "page-data").image_adder.add([project.parent / "photographs"])
        assert "being edited by" in said.text()
        assert not window.session.jobs


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_video_of_which_no_frame_can_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_stopped: bool
) -> None:
    """It was said that all of these images were there already."""
    (tmp_path / "ride.avi").write_bytes(b"frames")
    monkeypatch.setattr(video, "extract", lambda *_: iter([video.Extracted(1, 1)]))
    job = Job("Frames", lambda _: iter(()))
    if is_stopped:
        job.stop.set()
    reading = extract_frames(tmp_path / "ride.avi", tmp_path, 30, job)
    next(reading)
    if is_stopped:
        assert list(reading) == []
    else:
        with pytest.raises(Refused, match="none of the frames asked for can be read"):
            list(reading)


def test_what_nobody_may_look_at_gets_a_sentence_when_it_is_dropped(open_window: Open, project: Path) -> None:
    """The system refuses this name as it does a folder without permission, or a share that does not answer."""
    window = open_window(project, "data")
    find(window, DataPage, "page-data").image_adder.add([project / ("x" * 300)])
    assert (
        find(window, QLabel, "message-text")
        .text()
        .endswith("is not an image. Use Import labels for labels, and Add video for a video.")
    )
