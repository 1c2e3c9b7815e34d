"""A run that goes on for longer: what is told of it before, and what stands in the new run's folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QSpinBox

from tests.ui.train.runs.run_list_driver import Bench, bench
from tests.ui.train.train_page_driver import press, session, text
from tests.ui.window_driver import find
from workbench.training.records import extension
from workbench.ui.train.runs.extend_window import ExtendWindow, sentences

__all__ = ["bench", "session"]  # fixtures


@pytest.fixture
def whole(bench: Bench) -> Path:
    """A run that can be extended: 6 images in batches of 4 for 4 epochs, at a rate that falls from 0.1 to 0.001."""
    folder = bench.folder / "tiny-2"
    for name in ("last.state.pt", "data.npz", "best.safetensors"):
        (folder / name).write_bytes(name.encode())
    settings = "epochs = 4\nbatch = 4\nlearning_rate = 0.1\nwarm_up = 0\n"
    (folder / "settings.toml").write_text(f'detector = "toy"\n[training]\n{settings}', "utf-8")
    with bench.qtbot.waitSignal(bench.run_actions.listed):
        bench.run_actions.list_runs()
    return folder


def test_a_run_is_extended_after_it_was_told_what_that_means(bench: Bench, whole: Path) -> None:
    bench.click("tiny-10")
    assert not bench.is_on("extend-run")
    bench.click("tiny-2")
    find(bench.runs, QAction, "action-extend-run").trigger()
    bench.qtbot.waitUntil(lambda: bench.window.findChild(ExtendWindow) is not None)
    window = find(bench.window, ExtendWindow, "extend-window")
    assert find(window, QSpinBox, "extend-epochs").value() == 2
    assert find(window, QSpinBox, "extend-epochs").accessibleName() == "More epochs"
    find(window, QSpinBox, "extend-epochs").setValue(4)
    # 6 of 6 steps, then 6 of 12: a cosine of 0.1 to 0.001
    rates = "ended at 0.00763; in a run of this length it goes on at 0.0505 and ends at 0.00269. As it is higher"
    assert rates in text(window, "extend-words")
    assert "choose 'Run tiny-2' under Start from" in text(window, "extend-words")
    with bench.qtbot.waitSignal(bench.run_actions.continue_requested) as asked:
        press(bench.qtbot, window, "extend-go")
    assert asked.args == [bench.folder / "tiny-2-to-8"]
    bench.wait_for("other", "tiny-10", "tiny-2", "tiny-2-to-8")
    assert (bench.folder / "tiny-2-to-8" / "last.state.pt").read_bytes() == b"last.state.pt"


def test_the_words_on_an_extension_fit_the_schedule(bench: Bench, whole: Path) -> None:
    def words(**changes: object) -> str:
        basis = extension.read_finished_run(whole)
        early = bool(changes.pop("early", False))
        training = dataclasses.replace(basis.training, **changes)  # type: ignore[arg-type]
        basis = dataclasses.replace(basis, training=training, early=early)
        return sentences(basis, basis.extended(8))

    assert "The learning rate stays at 0.1." in words(schedule="constant")
    one_cycle = words(schedule="one-cycle")
    assert ", rises to " not in one_cycle
    assert "did not stop early" not in one_cycle
    assert "'tiny-2' ended early because AP no longer rose." in words(early=True)
    assert "As it is higher than at the end" not in words(schedule="constant", early=True)
