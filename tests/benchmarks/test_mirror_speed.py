"""The text of a project is written and read in a small multiple of the time that Python's own JSON takes for it.

WORKBENCH_FULL_BENCHMARKS=1 takes 100,000 images with 700,000 boxes instead of 6,000 with 42,000.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Image, Label, Split, State
from workbench.core.storage import mirror, mirror_reader, rows

FULL = os.environ.get("WORKBENCH_FULL_BENCHMARKS") == "1"
IMAGES, EACH, LABELS = (100_000 if FULL else 6_000), 7, 8
ROUNDS = 2 if FULL else 5


def make(folder: Path) -> None:
    """Boxes as a person draws them, in tenths of a pixel; one of fifty has a flag."""
    with Document.create(folder) as document:
        document.do(edits.AddLabels(tuple(Label(0, f"label {n}") for n in range(LABELS))))
        root = document.add_root(folder)
        corners = np.random.default_rng(0).uniform(0, 500, (IMAGES * EACH, 4)).round(1)
        with document.store.transaction() as connection:
            images = (
                Image(n + 1, f"some folder/{n}.jpg", 640, 480, State.DONE, Split.TRAIN, 1, root, date=1.7e9 + n)
                for n in range(IMAGES)
            )
            connection.executemany(
                f"INSERT INTO image ({rows.IMAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                map(rows.image_row, images),
            )
            connection.executemany(
                "INSERT INTO box VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?, 0, '', '')",
                (
                    (n + 1, n // EACH + 1, n % LABELS + 1, *corner, int(n % 50 == 0))
                    for n, corner in enumerate(corners.tolist())
                ),
            )


def least(*works: Callable[[], object]) -> list[float]:
    """Seconds of the processor in each one's quickest run. They take turns, so a busy machine is busy for all."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, taken in zip(works, times, strict=True):
            start = time.process_time()
            work()
            taken.append(time.process_time() - start)
    return [min(taken) for taken in times]


def test_the_text_is_written_and_read_in_a_small_multiple_of_what_json_takes(tmp_path: Path) -> None:
    folder, file = tmp_path / "p", tmp_path / "new.sqlite"
    make(folder)
    mirror.write(folder)
    lines = [
        line for block in sorted((folder / mirror.FOLDER).glob("*.jsonl")) for line in block.read_text().splitlines()
    ]
    told = [json.loads(line) for line in lines]

    def write() -> None:
        shutil.rmtree(folder / mirror.FOLDER)
        mirror.write(folder)

    def rebuild() -> None:
        file.unlink(missing_ok=True)
        mirror_reader.rebuild(folder, file)

    written, dumped, rebuilt, loaded = least(
        write,
        lambda: [json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in told],
        rebuild,
        lambda: [json.loads(line) for line in lines],
    )
    print(
        f"\n{IMAGES:,} images, {IMAGES * EACH:,} boxes: written in {written:.2f} s (json.dumps {dumped:.2f} s),"
        f" rebuilt in {rebuilt:.2f} s (json.loads {loaded:.2f} s)"
    )
    assert mirror.read_info(folder).boxes == IMAGES * EACH
    assert written < 3 * dumped
    assert rebuilt < 3.5 * loaded
