"""Labels photographs of blood cells in the real window with mouse and keys, as a person would, and counts them.

    python tests/label_by_hand.py DATA OUT [--images 10]

DATA is the folder in WORKBENCH_TEST_DATA. Needs a display, xdotool and ImageMagick's import (under Xvfb:
`xvfb-run -s "-screen 0 1280x800x24" python tests/label_by_hand.py ...`). The program runs in a separate process; all
that this script knows about it is where the picture is on the screen. At the end the boxes on disk are compared with
the intended ones, the project is exported, and the counts are shown beside those of labelImg for the same boxes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from typing import Any

# The program, with a timer that writes down where its canvas is
PROGRAM = """
import json, os, sys
from pathlib import Path
from PySide6.QtCore import QPoint, QTimer
from PySide6.QtWidgets import QApplication
real = QApplication.exec
def watched(*_):
    def tell():
        for window in [w for w in QApplication.topLevelWidgets() if hasattr(w, "session")]:
            canvas = window.findChild(object, "canvas")
            if canvas is None or canvas.picture is None:
                continue
            at = canvas.mapToGlobal(QPoint(0, 0))
            view = canvas.view
            told = {"image": window.session.image.path, "scale": view.scale, "x": at.x() + view.x, "y": at.y() + view.y}
            temporary = Path(os.environ["TOLD"] + ".new")
            temporary.write_text(json.dumps(told)); temporary.replace(os.environ["TOLD"])
    timer = QTimer(interval=50); timer.timeout.connect(tell); timer.start()
    return real()
QApplication.exec = watched
sys.argv = ["workbench", os.environ["PROJECT"]]
from workbench.__main__ import main
raise SystemExit(main())
"""


class Hand:
    """xdotool, with a count of its actions."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def _do(self, *arguments: str) -> None:
        subprocess.run(["xdotool", *arguments], check=True)

    def key(self, *keys: str) -> None:
        self.counts["keys"] += len(keys)
        self._do("key", "--delay", "30", *keys)
        time.sleep(0.08)

    def text(self, text: str) -> None:
        self.counts["keys"] += len(text)
        self._do("type", "--delay", "30", text)

    def drag(self, a: tuple[float, float], b: tuple[float, float]) -> None:
        self.counts["drags"] += 1
        x0, y0, x1, y1 = (str(round(value)) for value in (*a, *b))
        middle = str(round((a[0] + b[0]) / 2)), str(round((a[1] + b[1]) / 2))
        self._do("mousemove", x0, y0, "mousedown", "1", "mousemove", *middle, "mousemove", x1, y1, "mouseup", "1")
        time.sleep(0.08)

    def click(self, x: float, y: float) -> None:
        self.counts["clicks"] += 1
        self._do("mousemove", str(round(x)), str(round(y)), "click", "1")


def truth(file: Path) -> list[tuple[str, tuple[float, ...]]]:
    """(label, xyxy) of the boxes of a VOC file that a person would draw."""
    found = []
    for one in ElementTree.parse(file).getroot().iter("object"):
        box = one.find("bndbox")
        assert box is not None
        sides = tuple(float(box.findtext(side) or 0) for side in ("xmin", "ymin", "xmax", "ymax"))
        if sides[2] - sides[0] >= 4 and sides[3] - sides[1] >= 4:
            found.append((one.findtext("name") or "?", sides))
    return found


def told(file: Path, image: str) -> dict[str, Any]:
    """The position of the picture of `image`; waits until it is shown."""
    for _ in range(200):
        time.sleep(0.1)
        if file.is_file():
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if found["image"] == image:
                return found
    raise SystemExit(f"{image} was not shown")


def label_all(data: Path, out: Path, count: int) -> dict[str, Any]:
    source = data / "data" / "bccd" / "BCCD"
    photographs = sorted((source / "JPEGImages").glob("*.jpg"))[:count]
    work = Path(tempfile.mkdtemp(prefix="by-hand-"))
    (work / "photographs").mkdir()
    for file in photographs:
        shutil.copy(file, work / "photographs")
    project = work / "project"
    command = [sys.executable, "-m", "workbench"]
    subprocess.run(
        [*command, "new", str(project), "--images", str(work / "photographs")], check=True, capture_output=True
    )
    where = {"TOLD": str(work / "told.json"), "PROJECT": str(project), "XDG_CONFIG_HOME": str(work / "config")}
    program = subprocess.Popen([sys.executable, "-c", PROGRAM], env={**os.environ, **where})
    hand, meant, begun = Hand(), {}, time.monotonic()
    try:
        time.sleep(4)
        window = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", "Workbench"], capture_output=True, text=True
        )
        if window.stdout.split():
            hand._do("windowsize", window.stdout.split()[-1], "1280", "800")
        hand.click(36, 135)  # the Label page on the rail; without a window manager a click also sets the focus
        time.sleep(1)
        known: list[str] = []
        last = ""
        hand.key("w")
        for file in photographs:
            place = told(work / "told.json", file.name)
            boxes = sorted(truth(source / "Annotations" / f"{file.stem}.xml"))
            meant[file.name] = boxes
            for label, (x0, y0, x1, y1) in boxes:
                if label != last and label in known:
                    hand.key(str(known.index(label) + 1))
                elif label not in known and known:
                    hand.key("e")
                    time.sleep(0.3)
                    hand.text(label)
                    hand.key("Return")
                corner, other = (
                    (place["x"] + x * place["scale"], place["y"] + y * place["scale"]) for x, y in ((x0, y0), (x1, y1))
                )
                hand.drag(corner, other)
                if not known:
                    time.sleep(0.3)
                    hand.text(label)
                    hand.key("Return")
                if label not in known:
                    known.append(label)
                last = label
            _picture(out / f"{file.stem}.png")
            hand.key("space")
        seconds = time.monotonic() - begun
        time.sleep(1)
        hand.key("ctrl+q")
        program.wait(20)
    finally:
        program.kill()
    found = _on_disk(project)
    target = out / "exported"
    subprocess.run(
        [*command, "export-labels", str(project), str(target), "--format", "voc", "--replace"],
        check=True,
        capture_output=True,
    )
    return {**_compared(found, meant), **hand.counts, "seconds": round(seconds), "labelImg": _of_labelimg(meant)}


def _on_disk(project: Path) -> dict[str, Any]:
    from workbench.core.document import Document

    with Document.open(project, read_only=True) as document:
        return {
            image.name: (str(image.state), [(document.label(b.label).name, b.xyxy) for b in document.boxes(image.id)])
            for image in document.images()
        }


def _compared(found: dict[str, Any], meant: dict[str, Any]) -> dict[str, Any]:
    """How many boxes have the label and place that were meant, to two pixels of the photograph."""
    right, boxes, missed = 0, 0, []
    for name, wanted in meant.items():
        left = list(found[name][1])
        for label, sides in wanted:
            boxes += 1
            for one in left:
                if one[0] == label and all(abs(a - b) <= 2 for a, b in zip(one[1], sides, strict=True)):
                    left.remove(one)
                    right += 1
                    break
            else:
                missed.append(f"{name}: {label} {sides}")
    verified = sum(state == "verified" for state, _ in found.values())
    return {"images": len(meant), "verified": verified, "boxes": boxes, "right": right, "missed": missed}


def _of_labelimg(meant: dict[str, Any]) -> dict[str, int]:
    """By the book, in its beginner mode: W, a drag, and Enter or the name in the dialog for each box; Ctrl+S, Space and
    D for each image. Computed; labelImg 1.8.6 itself, driven by xdotool for the same ten photographs, took 510 keys so
    (Space saves, a known name takes a second Enter), and at the least 58 keys and 16 clicks: in advanced mode, with a
    second pass to verify."""
    keys, drags, last = 0, 0, ""
    for boxes in meant.values():
        for label, _ in boxes:
            drags += 1
            keys += 1 + (1 if label == last else len(label) + 1)
            last = label
        keys += 3
    return {"keys": keys, "drags": drags}


def _picture(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["import", "-window", "root", str(file)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=10)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print(json.dumps(label_all(arguments.data, arguments.out, arguments.images), indent=1))


if __name__ == "__main__":
    main()
