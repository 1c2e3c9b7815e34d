"""The window closed at any moment: its process ends soon with code 0, and leaves no process and no broken run."""

from __future__ import annotations

import functools
import os
import random
import shutil
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from tests.promises.form import times
from workbench import exchange
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.training.records import runs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for left processes in /proc")
KINDS = (
    "a training", "reading a folder", "thumbnails", "a check of the data", "a picture", "an import's dry run",
    "anchors", "loading PyTorch",
)  # fmt: skip
IMAGES, LATEST = 120, 1500
"""Photographs of the project; milliseconds after the beginning of a job until which the window is closed."""
SOON = 5.0
"""Seconds within which the process is gone, from the moment when the window is closed.

On a machine so busy that PyTorch is imported in more than that, as long as an import takes: one is waited for where the
window is closed in its midst (no thread can be stopped there), and taking PyTorch down is a good part of it.
"""
MARK = "WORKBENCH_TEST_CYCLE"
TOGETHER = 2


@dataclass(frozen=True)
class Cycle:
    """One opening and closing. `wrong`: what should not have been, "" if nothing."""

    kind: str
    after: int  # milliseconds
    seconds: float  # from closing to the end of the process
    steps: int  # that the training had done
    wrong: str


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs, a project of them with boxes in each third, and the same labels as COCO."""
    folder = tmp_path_factory.mktemp("closing")
    (folder / "photographs").mkdir()
    for number in range(IMAGES):
        pixels = np.random.default_rng(number).integers(0, 255, (300, 400, 3), np.uint8)
        PillowImage.fromarray(pixels).save(folder / "photographs" / f"{number:03}.jpg")
    with Document.create(folder / "project", folder / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        cell, plate = (label.id for label in document.labels())
        labelled = [image.id for image in document.images()][::3]
        places = ((20, cell), (150, plate))
        boxes = [Box(0, id, label, (x, x, x + 90, x + 60)) for id in labelled for x, label in places]
        document.do(edits.AddBoxes(tuple(boxes)))
        document.do(edits.SetState(tuple(labelled), State.DONE))
        document.clear_history()
        exchange.export_labels(document.snapshot(), "coco", folder / "labels")
    return folder


@functools.cache
def importing() -> float:
    """Seconds that an import of PyTorch takes on this machine, with the same number of processes beside it."""
    begun = time.monotonic()
    both = [subprocess.Popen([sys.executable, "-c", "import torch, torchvision"]) for _ in range(TOGETHER)]
    for one in both:
        assert one.wait() == 0
    return time.monotonic() - begun


def cycle(original: Path, place: Path, kind: str, after: int, *more: str) -> Cycle:
    """Open, begin, close, in a child process with a home of its own in `place`; then look at what is left."""
    place.mkdir(parents=True)
    for name in ("photographs", "labels"):
        (place / name).symlink_to(original / name)
    shutil.copytree(original / "project", place / "project")
    token = uuid.uuid4().hex
    homes = {f"XDG_{name}_HOME": str(place / "home" / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.promises.closing_child", str(place / "project"), kind, str(after), *more],
        cwd=Path(__file__).parents[2], env=os.environ | homes | {MARK: token}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        out, said = child.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        child.kill()
        out, said = child.communicate()
        return Cycle(kind, after, 120.0, 0, f"it went on for two minutes: {out[-200:]} {said[-500:]}")
    ended = time.time()
    closing = [float(line.split()[1]) for line in out.splitlines() if line.startswith("closing ")]
    seconds = ended - closing[0] if closing else 0.0
    steps, wrong = _training(place / "project") if kind == "a training" else (0, "")
    problems = [
        "" if closing else "the window was never closed",
        f"exit code {child.returncode}: {said[-500:]}" if child.returncode else "",
        _complaint(said + _log(place)),
        f"processes are left: {_left(token)}" if _left(token) else "",
        wrong,
    ]
    return Cycle(kind, after, seconds, steps, "; ".join(problem for problem in problems if problem))


def _complaint(text: str) -> str:
    """What Qt or Python have to say of a bad end."""
    lines = [line for line in text.splitlines() if "QThread" in line or "Traceback" in line or "ERROR" in line]
    return f"it was said: {lines[0]}" if lines else ""


def _log(place: Path) -> str:
    return "".join(file.read_text() for file in (place / "home").rglob("workbench.log"))


def _left(token: str) -> list[str]:
    """Processes that are still there with the mark of a cycle in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if f"{MARK}={token}".encode() in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found


def _training(project: Path) -> tuple[int, str]:
    """How many steps were done, and what is wrong with the run that is left."""
    found = runs.runs(project / "runs")
    if not found:
        return 0, ""  # closed before it began: nothing is left of it
    run = found[0]
    kept = (run.folder / "last.state.pt").is_file() and run.resumable
    if run.step and (run.state != "stopped" or not kept):
        return run.step, f"the run of {run.step} steps is {run.state}, resumable: {kept}"
    if run.state not in ("stopped", "interrupted"):
        return run.step, f"the run is {run.state}: {run.sentence}"
    return run.step, ""


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_the_window_closes_at_any_time(original: Path, tmp_path: Path) -> None:
    chance = random.Random(11)
    wishes = [(KINDS[number % len(KINDS)], chance.randrange(LATEST)) for number in range(times(8, 200))]
    _all_end_well(original, tmp_path, wishes)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_the_window_closes_in_the_midst_of_a_training(original: Path, tmp_path: Path) -> None:
    """Opened, trained and closed: while images are read, at the first steps, in an evaluation, in a save."""
    chance = random.Random(12)
    cycles = _all_end_well(
        original, tmp_path, [("a training", chance.randrange(2 * LATEST)) for _ in range(times(4, 200))]
    )
    assert sum(made.steps > 0 for made in cycles) >= len(cycles) / 4


def _all_end_well(original: Path, tmp_path: Path, wishes: list[tuple[str, int]]) -> list[Cycle]:
    def one(number: int) -> Cycle:
        kind, after = wishes[number]
        made = cycle(original, tmp_path / str(number), kind, after)
        shutil.rmtree(tmp_path / str(number), ignore_errors=True)
        return made

    with ThreadPoolExecutor(TOGETHER) as pool:
        cycles = list(pool.map(one, range(len(wishes))))
    cycles = [replace(made, wrong=f"{made.wrong} {_lateness(made)}".strip()) for made in cycles]
    print(_summary(cycles))
    wrong = [f"{made.kind} closed after {made.after} ms: {made.wrong}" for made in cycles if made.wrong]
    assert not wrong, "\n".join(wrong)
    return cycles


def _lateness(made: Cycle) -> str:
    late = made.seconds > SOON and made.seconds > importing()
    return f"{made.seconds:.1f} seconds until the end" if late else ""


def _summary(cycles: list[Cycle]) -> str:
    good = sum(not made.wrong for made in cycles)
    trained = [made.steps for made in cycles if made.steps]
    by_kind = {kind: f"{max((c.seconds for c in cycles if c.kind == kind), default=0):.2f}" for kind in KINDS}
    return (
        f"\n{good} of {len(cycles)} cycles ended as they should: with code 0, soon, no process left. From closing to"
        f" the end {np.median([made.seconds for made in cycles]):.2f} s in the middle; at most, by kind: {by_kind}."
        f" {len(trained)} trainings were stopped after {trained} steps, each with a checkpoint."
    )


def test_a_window_that_does_not_wait_for_its_threads_is_caught(original: Path, tmp_path: Path) -> None:
    """The control: a QThread that is destroyed while it runs ends the process."""
    made = cycle(original, tmp_path / "careless", "a check of the data", 0, "careless")
    assert "exit code" in made.wrong or "QThread" in made.wrong
