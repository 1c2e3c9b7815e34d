"""A soak: hours of work in one window leave no memory, thread, handle or file behind, and every edit on disk.

In full an hour on 20,000 images, of which the first tenth warms up: what is kept of pictures is full then. In CI two
cycles on 60, where memory may double: it is still growing into what it keeps.

How late the loop comes is told twice: as the clock has it, and in the thread's own time on a processor, without what
other programs on the machine took.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.promises.form import full, times
from tests.promises.soak_ledger import Held, Ledger, damage, differences
from tests.promises.soak_measure import GROWTH, LATE, Measure, files_in, grown
from tests.promises.soak_session import LABELS, Plan, exports
from tests.promises.walk_model import DONE, UNLABELLED, VERIFIED, Thing
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.scenes import write_scenes
from workbench.training.records import runs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
IMAGES, DISTINCT = times(60, 20_000), times(6, 1_000)
"""Files, and pictures that are drawn: the others are copies of these."""
SIZE = (320, 240)
SECONDS = float(os.environ.get("WORKBENCH_SOAK_SECONDS", times(0, 3600)))
WARM = 0.1
"""Share of the time after which the window is warm."""
SEED = 20261128
MARK = "WORKBENCH_TEST_SOAK"
EACH = ("label", "gallery", "train", "inspect", "export", "windows")
PLAN = Plan(images=20, paged=20, filled=1400) if full else Plan(EACH, images=2, paged=2, filled=2, epochs=1)
VALIDATED, VERIFIED_ONES = times(4, 60), times(8, 64)
"""Images of the split validation; verified ones, on which is trained."""
SHORTEST = Plan(("label",), images=1, paged=1)
"""Of the controls."""


@dataclass(frozen=True)
class Soaked:
    measures: list[Measure]
    code: int
    said: str
    left: list[str]  # processes, temporary files, notes of a running window, unfinished files
    differences: list[str]
    complaints: list[str]  # in the log


def make_project(folder: Path, images: int = IMAGES, distinct: int = DISTINCT) -> Ledger:
    """A project with boxes in nine of ten images; what it must hold, worked out apart from it."""
    drawn = list(write_scenes(folder / "drawn", distinct, SEED, SIZE))
    (folder / "photographs").mkdir()
    names = [f"scene-{number:05}.jpg" for number in range(images)]
    for number, name in enumerate(names):
        shutil.copy(folder / "drawn" / drawn[number % distinct].file, folder / "photographs" / name)
    shutil.rmtree(folder / "drawn")
    order = np.random.default_rng(SEED).permutation(images)
    states = dict.fromkeys(names, DONE)
    states |= dict.fromkeys((names[row] for row in order[: images // 10]), UNLABELLED)
    states |= dict.fromkeys((names[row] for row in order[-VERIFIED_ONES:]), VERIFIED)
    held = {}
    for number, name in enumerate(names):
        scene = drawn[number % distinct]
        things = [Thing(label, xyxy) for label, xyxy in zip(scene.labels, scene.boxes, strict=True)]
        held[name] = Held(states[name], () if states[name] == UNLABELLED else tuple(things))
    validated = {names[row] for row in order[images // 10 : images // 10 + VALIDATED]}
    validated |= {names[row] for row in order[-VERIFIED_ONES // 4 :]}
    _fill(folder / "project", folder / "photographs", held, validated)
    return Ledger(held)


def _fill(project: Path, photographs: Path, held: dict[str, Held], validated: set[str]) -> None:
    with Document.create(project, photographs) as document:
        document.do(edits.AddLabels(tuple(Label(0, name, key=str(n)) for n, name in enumerate(LABELS, 1))))
        labels = {label.name: label.id for label in document.labels()}
        ids = {image.path: image.id for image in document.images()}
        boxes = [Box(0, ids[name], labels[t.label], t.xyxy) for name, one in held.items() for t in one.things]
        by_state = {state: [ids[name] for name, one in held.items() if one.state == state] for state in State}
        parts: dict[Split, list[int]] = {Split.VALIDATION: [], Split.TRAIN: []}
        for name, id in ids.items():
            parts[Split.VALIDATION if name in validated else Split.TRAIN].append(id)
        document.do(
            edits.Batch(
                (
                    edits.AddBoxes(tuple(boxes)),
                    *(edits.SetState(tuple(some), state) for state, some in by_state.items() if some),
                    *(edits.SetSplit(tuple(some), split) for split, some in parts.items()),
                ),
                "What there is",
            )
        )
        document.clear_history()


def soak(folder: Path, ledger: Ledger, plan: Plan, seconds: float, cycles: int, *faults: str) -> Soaked:
    """In a process with a home and a folder for temporary files of its own."""
    token, temporary = uuid.uuid4().hex, folder / "temporary"
    temporary.mkdir()
    homes = {f"XDG_{name}_HOME": str(folder / "home" / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    photographs = _files(folder / "photographs")
    measures, complaints = [], []
    with (folder / "said").open("w") as said, subprocess.Popen(
        [sys.executable, "-m", "tests.promises.soak_child", str(folder / "project"),
         json.dumps(dataclasses.asdict(plan)), str(seconds), str(cycles), str(SEED), *faults],
        cwd=Path(__file__).parents[2], env=os.environ | homes | {MARK: token, "TMPDIR": str(temporary)}, text=True,
        stdout=subprocess.PIPE, stderr=said, start_new_session=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        for line in map(json.loads, child.stdout):
            if "cycle" in line:
                measures.append(Measure(**line))
                _tell(measures[-1])
            elif "failed" in line:
                complaints.append(line["failed"])
            else:
                print(line, flush=True)
    code = child.returncode
    left = [*_processes(token), *files_in(temporary)]
    left += [str(file) for file in (folder / "home").rglob("running/*")]
    left += [str(file) for file in folder.rglob(".*.tmp")]
    complaints += [line for line in _log(folder).splitlines() if "ERROR" in line or "QThread" in line]
    with open(folder / "deeds.jsonl", encoding="utf-8") as deeds:
        ledger.read(deeds)
    wrong = [*differences(ledger, folder / "project"), damage(folder / "project")]
    if _files(folder / "photographs") != photographs:
        wrong.append("the photographs are not as they were")
    with Document.open(folder / "project") as document:
        if len(document.images()) != len(ledger.images):
            wrong.append(f"{len(document.images())} images when it is opened anew, expected {len(ledger.images)}")
    return Soaked(measures, code, (folder / "said").read_text(), left, [one for one in wrong if one], complaints)


def _processes(token: str) -> list[str]:
    """Those that are still there with the mark of a soak in their environment."""
    found = []
    for process in psutil.process_iter(["environ", "cmdline"]):
        if (process.info["environ"] or {}).get(MARK) == token:
            found.append(" ".join(process.info["cmdline"] or ()))
    return found


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    return {file.name: (file.stat().st_size, file.stat().st_mtime_ns) for file in folder.iterdir()}


def _log(folder: Path) -> str:
    return "".join(file.read_text() for file in (folder / "home").rglob("workbench.log*"))


def _tell(one: Measure) -> None:
    stages = "; ".join(
        f"{name} {late}/{ticks} {worst:.0f} (busy {busy}, {busiest:.0f})"
        for name, (ticks, late, worst, busy, busiest) in one.stages.items()
    )
    print(
        f"cycle {one.cycle:3}, {one.seconds:6.0f} s, {one.deeds:5} deeds: {one.resident:.0f} MiB ({one.own:.0f} own,"
        f" {one.allocated:.0f} allocated),"
        f" threads {one.threads} ({one.python_threads} of Python), handles {one.handles}, children {one.children},"
        f" temporary {one.temporary}, widgets {one.widgets} ({one.top_levels} top), objects {one.objects},"
        f" uncollected {one.uncollected}; late p99 {one.late99:.0f}, worst {one.worst:.0f} ms, of its own"
        f" {one.busy99:.0f} and {one.busiest:.0f}; by stage, over {LATE} ms: {stages}; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_long_session_leaves_nothing_behind_and_every_edit_on_disk(tmp_path: Path) -> None:
    soaked = soak(tmp_path, make_project(tmp_path), PLAN, SECONDS, 2)
    assert (soaked.code, soaked.complaints, soaked.left, soaked.differences) == (0, [], [], [])
    assert "Traceback" not in soaked.said
    assert "QThread" not in soaked.said
    done = runs.runs(tmp_path / "project" / "runs")
    assert done
    assert all(run.state == "finished" for run in done)
    assert exports(tmp_path / "project")
    warm, rest = parts(soaked.measures, SECONDS)
    assert grown(warm[-3:], rest[-3:], GROWTH if full else 1.0) == []
    if full:
        assert max(one.busy99 for one in rest) < LATE
        assert np.median([one.late99 for one in rest]) < LATE


def parts(measures: list[Measure], seconds: float) -> tuple[list[Measure], list[Measure]]:
    """Those of warming up, and the rest."""
    warm = max(1, sum(one.seconds <= WARM * seconds for one in measures))
    return measures[:warm], measures[warm:]


# --- controls: what is left on purpose must be seen ---


def test_what_a_session_leaves_behind_in_each_cycle_is_seen(tmp_path: Path) -> None:
    ledger = make_project(tmp_path, 60, 6)
    soaked = soak(tmp_path, ledger, SHORTEST, 0, 2, "memory", "thread", "handle", "file", "widget")
    said = " ".join(grown(soaked.measures[:1], soaked.measures[1:]))
    for what in ("memory (resident)", "threads", "python threads", "handles", "temporary", "widgets", "top levels"):
        assert f"{what} grew" in said
    assert "/dev/null" in said
    assert len(soaked.left) == 2
    assert soaked.differences == []


def test_a_deed_that_is_not_on_disk_is_seen(tmp_path: Path) -> None:
    ledger = make_project(tmp_path, 60, 6)
    assert differences(ledger, tmp_path / "project") == []
    image = next(name for name, held in ledger.images.items() if len(held.things) > 1)
    for deed in (
        {"deed": "draw", "image": image, "label": "ball", "xyxy": [1, 1, 20, 20]},
        {"deed": "relabel", "image": image, "label": "star"},
        {"deed": "mark", "images": [image], "state": UNLABELLED},
        {"deed": "drop", "images": [image]},
    ):
        ledger.read([json.dumps(deed)])
        assert len(differences(ledger, tmp_path / "project")) == 1, deed
        ledger.read(['{"deed": "undo"}'])
    assert differences(ledger, tmp_path / "project") == []
