"""A window that did not end by itself is noticed at the next start: it shows the same image and says what happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import write_photographs
from workbench.core import images
from workbench.core.decoding import image_check
from workbench.core.document import Document
from workbench.errors import Refused
from workbench.ui import crashes
from workbench.ui.job import Job
from workbench.ui.session import Session

# The real program, without a screen: it selects the second image and dies in some way, or tells what it shows.
PROGRAM = """
import json, os, signal, sys, time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from workbench.ui import app

app._CALM = 50
real = QApplication.exec
told = []

def window():
    return next(w for w in QApplication.topLevelWidgets() if w.objectName() == "main-window")

def die(how):
    document = window().session.document
    window().session.select_image(document.images()[1].id)
    if how == "abort":
        os.abort()
    os.kill(os.getpid(), {"kill": signal.SIGKILL, "term": signal.SIGTERM, "hup": signal.SIGHUP}[how])

def tell():
    session = window().session
    if session.document is None and told and time.monotonic() < until:
        QTimer.singleShot(20, tell)
        return
    print(json.dumps({"project": str(session.document.folder) if session.document else "",
                      "image": session.image.path if session.image else "", "told": told}), flush=True)
    window().close()

def watched(*_):
    window().session.message.connect(lambda _level, sentence: told.append(sentence))
    QTimer.singleShot(1000, (lambda: die(how)) if how else tell)
    return real()

until = time.monotonic() + 20
how = sys.argv.pop(1)
QApplication.exec = watched
sys.exit(app.run(__import__("pathlib").Path(sys.argv[1]) if len(sys.argv) > 1 else None))
"""


def run(how: str, *project: Path) -> tuple[int, dict[str, object]]:
    command = [sys.executable, "-c", "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n" + PROGRAM]
    done = subprocess.run(
        [*command, how, *map(str, project)], capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    assert lines or how, done.stderr
    return done.returncode, json.loads(lines[-1]) if lines else {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "ended", "why"),
    [
        ("abort", -signal.SIGABRT, "Aborted"),
        ("kill", -signal.SIGKILL, "it was killed, or the machine stopped"),
    ],
)
def test_after_a_crash_the_next_start_says_so_and_shows_the_same_image(
    tmp_path: Path, how: str, ended: int, why: str
) -> None:
    write_photographs(tmp_path / "photographs", ["a.png", "b ü.png", "c.png"])
    Document.create(tmp_path / "my project", tmp_path / "photographs").close()
    code, _ = run(how, tmp_path / "my project")
    assert code == ended
    code, seen = run("")
    assert code == 0
    assert seen["project"] == str(tmp_path / "my project")
    assert seen["image"] == "b ü.png"
    told = seen["told"]
    assert isinstance(told, list)
    assert len(told) == 1
    assert f": {why}. Your edits are on disk; Help > Log has details." in told[0]
    code, seen = run("")
    assert (code, seen) == (0, {"project": "", "image": "", "told": []}), "that start ended by itself"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["term", "hup"])
def test_a_system_that_shuts_down_and_a_terminal_that_closes_end_the_window_in_order(tmp_path: Path, how: str) -> None:
    """What is trained is saved then, as by Ctrl-C: the window was gone at once, and with it what was not saved."""
    write_photographs(tmp_path / "photographs", ["a.png", "b.png"])
    Document.create(tmp_path / "project", tmp_path / "photographs").close()
    assert run(how, tmp_path / "project") == (0, {})
    assert run("")[1]["told"] == []


def test_a_training_that_a_kill_ended_is_told_with_it(tmp_path: Path, qtbot: QtBot) -> None:
    session = Session()
    note = crashes.CrashNote(session, tmp_path / "running")

    def killed() -> str:
        """What the next start would say now."""
        folder = tmp_path / "left"
        folder.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "running" / f"{os.getpid()}.json", folder / "999999.json")
        (crash,) = crashes.read_crashes(folder)
        return crash.sentence.partition("Log has details.")[2]

    assert killed() == ""
    session.start(Job("Training tiny-1", lambda job: iter([job.stop.wait(20)]), session, is_training=True))
    session.runs_changed.emit()
    told = killed()
    assert session.end_jobs()  # before anything else can fail: its thread must not outlive it
    assert told == " Training tiny-1 was interrupted: Resume on the Train page goes on with it."
    assert killed() == ""
    note.end()


def test_a_window_that_runs_has_not_crashed(tmp_path: Path) -> None:
    ours = crashes.CrashNote(session=_Session(), folder=tmp_path)  # type: ignore[arg-type]
    assert crashes.read_crashes(tmp_path) == []
    ours.end()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"project": 3, "image": "x"}', '{"project": "'])
def test_a_note_that_can_not_be_read_is_taken_away(tmp_path: Path, content: str) -> None:
    (tmp_path / "999999.json").write_text(content)
    (tmp_path / "what is this.json").write_text(content)
    assert crashes.read_crashes(tmp_path) == []
    assert [file.name for file in tmp_path.iterdir()] == ["what is this.json"]


class _Signal:
    def connect(self, _slot: object) -> None:
        """Nothing comes."""


class _Session:
    image_changed, document_changed, document, image_id = _Signal(), _Signal(), None, 0
    runs_changed, job_ended, jobs = _Signal(), _Signal(), ()


KILLS = """
import json, os, sys
for line in sys.stdin:
    name = json.loads(line)
    if "b ü" in name:
        os.abort()
    print(json.dumps([None, ""]), flush=True)
"""


def test_an_image_that_ended_the_window_is_marked_before_its_project_is_opened_again(
    tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photographs(tmp_path / "photographs", ["a.png", "b ü.png", "c.png"])
    with Document.create(tmp_path / "p", tmp_path / "photographs") as document:
        ids = [image.id for image in document.images()]
    monkeypatch.setattr(image_check, "recheck", partial(image_check.recheck, child=(sys.executable, "-c", KILLS)))
    crash = crashes.Crash(datetime(2026, 1, 2), tmp_path / "p", ids[0], "Aborted", "", (ids[1],))
    session = Session()
    opened: list[Path] = []
    told: list[str] = []
    session.message.connect(lambda _level, sentence: told.append(sentence))
    crashes.CrashRecovery(session, crash, opened.append).begin()
    qtbot.waitUntil(lambda: bool(opened))
    assert opened == [tmp_path / "p"]
    assert session.last_images[tmp_path / "p"] == ids[0]
    assert len(told) == 1
    assert told[0].startswith("b ü.png: reading it ended the program")
    with pytest.raises(Refused, match="ended the program"):
        images.read(tmp_path / "photographs" / "b ü.png")
    with Document.open(tmp_path / "p") as document:
        assert [bool(image.problem) for image in document.images()] == [False, True, False]
    session.close()


@pytest.mark.parametrize(
    ("stacks", "why"),
    [
        ("Windows fatal exception: code 0x8001010d\n\nThread 0x1:\n", "it was killed"),
        ("Windows fatal exception: code 0x8001010d\n\nWindows fatal exception: access violation\n", "access violation"),
        ("Fatal Python error: Aborted\n", "Aborted"),
    ],
)  # fmt: skip
def test_what_windows_parts_catch_themselves_is_no_reason_of_an_end(tmp_path: Path, stacks: str, why: str) -> None:
    """Python notes it as fatal each time a file dialog asks another program."""
    (tmp_path / "1.json").write_text(json.dumps({"project": "", "image": 0}), encoding="utf-8")
    (tmp_path / "1.stacks").write_text(stacks, encoding="utf-8")
    (crash,) = crashes.read_crashes(tmp_path)
    assert why in crash.sentence
