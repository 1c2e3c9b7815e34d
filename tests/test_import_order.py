"""PyTorch's packages are imported whole before their parts, for several threads of the window load them at once.

`from torchvision.ops import nms` locks torchvision.ops and then waits for torchvision. If another thread is importing
that, it waits for torchvision.ops in turn. Python resolves this by handing it the unfinished module, and both fail.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
RACE = """
import importlib, sys, threading, time
import torch
def load_part():
    while "torchvision" not in sys.modules:
        time.sleep(0.0005)
    importlib.import_module(sys.argv[1])
failed = []
threading.excepthook = lambda args: failed.append(args.exc_value)
threads = [threading.Thread(target=importlib.import_module, args=["torchvision"]), threading.Thread(target=load_part)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit("; ".join(map(str, failed)) or 0)
"""


@pytest.mark.parametrize("package", ["torch", "torchvision"])
def test_a_package_is_imported_before_its_parts(package: str) -> None:
    part = re.compile(rf"^ *(?:from {package}\.\w+[\w.]* import\b|import {package}\.)", re.MULTILINE)
    whole = re.compile(rf"^ *(?:import {package}\b(?!\.)|from {package} import\b)", re.MULTILINE)
    seen = 0
    for root in ("workbench", "plugins"):
        for file in (REPOSITORY / root).rglob("*.py"):
            text = file.read_text("utf-8")
            if first := part.search(text):
                seen += 1
                assert whole.search(text, 0, first.start()), f"{file}: first 'import {package}'"
    assert seen


def test_two_threads_load_torchvision_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RACE, "workbench.training.hardware.replicas"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
