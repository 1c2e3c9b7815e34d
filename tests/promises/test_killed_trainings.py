"""A training that is killed at any instant goes on as if nothing had happened, and no kill leaves a file unreadable."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest
import torch

from tests.promises.form import times
from tests.promises.killed_training import LOSSES, STEPS
from tests.promises.processes import hear, python, tell
from workbench.training.checkpoints import checkpoint

KILLS = 20
NEVER = 10**9  # steps
SAVES = times(40, 200)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")]


@pytest.fixture(scope="module")
def trainer() -> Iterator[Popen[str]]:
    with python("-m", "tests.promises.killed_training") as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def asked(trainer: Popen[str], how: str, folder: Path, steps: int = NEVER, seconds: float = 0.0) -> str:
    """Train, to the end unless killed so many seconds after so many steps."""
    tell(trainer, f"{how}\t{folder}\t{steps}\t{seconds}")
    return hear(trainer)


def losses(folder: Path) -> list[str]:
    """Each step's terms as they were computed last; a torn line is the kill's."""
    lines = [line.split(" ", 1) for line in (folder / LOSSES).read_text().splitlines() if line.endswith("]")]
    last = {int(number): terms for number, terms in lines}
    return [last[number] for number in sorted(last)]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = checkpoint.load_state(folder / "run" / checkpoint.STATE)
    return {**state.detector, **{f"average {name}": tensor for name, tensor in state.average.items()}}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def straight(trainer: Popen[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("straight")
    assert asked(trainer, "train", folder) == "ended"
    assert len(losses(folder)) == STEPS
    return folder


def test_a_training_killed_at_any_instant_and_resumed_is_the_straight_one_to_the_bit(
    trainer: Popen[str], straight: Path, tmp_path: Path
) -> None:
    chance, killed = random.Random(0), 0
    for number in range(KILLS):
        other = tmp_path / str(number)
        killed += asked(trainer, "train", other, chance.randrange(STEPS - 1), chance.uniform(0, 0.03)) == "killed"
        assert asked(trainer, "train", other) == "ended"
        assert losses(other) == losses(straight), f"kill {number}"
        assert same(weights(other), weights(straight)), f"kill {number}"
        assert not list((other / "run").glob(".*.tmp"))
    assert killed == KILLS


def test_without_the_seeds_of_its_steps_it_would_be_another_one(
    trainer: Popen[str], straight: Path, tmp_path: Path
) -> None:
    assert asked(trainer, "train", tmp_path, STEPS // 2, 0.0) == "killed"
    assert asked(trainer, "forgetful", tmp_path) == "ended"
    assert losses(tmp_path)[:2] == losses(straight)[:2]
    assert losses(tmp_path) != losses(straight)
    assert not same(weights(tmp_path), weights(straight))


def test_no_kill_leaves_a_checkpoint_that_can_not_be_read(trainer: Popen[str], tmp_path: Path) -> None:
    chance, steps = random.Random(1), []
    for _ in range(SAVES):
        asked(trainer, "save", tmp_path / "saved", 0, 0.05 + chance.uniform(0, 0.1))
        file = tmp_path / "saved" / checkpoint.STATE
        if file.exists():
            steps.append(checkpoint.load_state(file).step)
            assert torch.load(file, weights_only=True)["step"] == steps[-1]
            if (tmp_path / "saved" / checkpoint.LAST).exists():
                checkpoint.read_header(tmp_path / "saved" / checkpoint.LAST)
    assert len(steps) > SAVES * 0.8
    print(f"{SAVES} kills while saving: {len(steps)} checkpoints read, after up to {max(steps)} saves")
