"""What the help page says of the detectors was measured, not written: its table is that of choosing.json.

WORKBENCH_FULL_BENCHMARKS=1 trains each YOLO version and SSD anew, for hours. Without it test_bccd.py has one of them
learn for a minute, by the same function.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.benchmarks import choosing
from workbench import detectors

FULL = os.environ.get("WORKBENCH_FULL_BENCHMARKS") == "1"
EACH_VERSION = ("yolov1-tiny", "yolov2", "yolov3", "yolov4", "yolov4-csp", "ssd300")


def test_the_page_has_the_table_of_what_was_measured() -> None:
    assert choosing.page() == choosing.PAGE.read_text("utf-8")


def test_every_detector_is_in_the_table() -> None:
    built_in = [name for name, _ in detectors.load_all() if detectors.detectors.owner(name) == "built in"]
    odd = {row.name for row in choosing.ROWS} ^ set(built_in)
    assert not odd, f"{', '.join(sorted(odd))}: add a row to choosing.ROWS; its docstring says how it is measured"
    assert set(choosing.results()) == set(built_in)


@pytest.mark.parametrize("name", EACH_VERSION)
def test_each_version_was_measured_to_learn(name: str) -> None:
    assert choosing.results()[name]["ap50"] >= 0.60


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.skipif(not FULL, reason="WORKBENCH_FULL_BENCHMARKS=1 trains for hours")
@pytest.mark.parametrize("name", EACH_VERSION)
def test_each_version_learns(name: str, test_data: Path, tmp_path: Path) -> None:
    row = next(row for row in choosing.ROWS if row.name == name)
    assert choosing.learn(row, choosing.blood_cells(tmp_path / "bccd"), tmp_path / "run")["ap50"] >= 0.60
