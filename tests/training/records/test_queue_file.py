"""The file of the waiting trainings: what is kept in it, and what becomes of a damaged or foreign one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.training.records.test_training_queue import ANCHORS, on_disk, wanted
from workbench import detectors, settings
from workbench.errors import WorkbenchError
from workbench.training import recipes
from workbench.training.records import queue_file
from workbench.training.records.queue_file import QueuedTraining
from workbench.training.records.training_queue import TrainingQueue
from workbench.training.settings import TrainingSettings


def test_everything_of_a_training_is_kept(tmp_path: Path) -> None:
    runs_folder = tmp_path / "runs"
    start = runs_folder / "fcos-1" / "best.safetensors"
    training = wanted("ü", anchors=ANCHORS, start=str(start), start_near=queue_file.near(start, runs_folder))
    TrainingQueue(tmp_path).add([training])
    (kept,) = TrainingQueue(tmp_path).waiting
    assert (kept.name, kept.recipe, kept.anchors, kept.start) == ("ü", training.recipe, ANCHORS, str(start))


def test_weights_are_found_after_a_move_of_the_project_and_a_new_name_of_their_run(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    start = before / "runs" / "fcos-1" / "best.safetensors"
    start.parent.mkdir(parents=True)
    start.touch()
    near = queue_file.near(start, before / "runs")
    TrainingQueue(before).add([wanted("a", start=str(start), start_near=near)])
    shutil.move(before, after)
    (kept,) = TrainingQueue(after).waiting
    assert kept.start_file(after / "runs") == after / "runs" / "fcos-1" / "best.safetensors"
    renamed = (after / "runs" / "fcos-1").rename(after / "runs" / "good")
    (renamed / "former-names.txt").write_text("fcos-1\n")
    assert kept.start_file(after / "runs") == renamed / "best.safetensors"
    assert wanted("fresh").start_file(after / "runs") is None


def test_a_file_of_before_runs_could_be_resumed_from_the_queue_is_read(tmp_path: Path) -> None:
    queue = TrainingQueue(tmp_path)
    queue.add([wanted("a")])
    table = json.loads(queue.file.read_text("utf-8"))
    for name in ("resumes", "shares_data"):
        del table["trainings"][0][name]
    queue.file.write_text(json.dumps(table | {"version": 1}), "utf-8")
    assert TrainingQueue(tmp_path).waiting == queue.waiting


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"version": 1, "trainings": [', ":1: the waiting trainings can't be read: not valid JSON"),
        ('{"version": 1, "trainings": [{"name": "a"}]}', "can't be read: the file is damaged"),
        ('{"version": 1, "trainings": 7}', "can't be read: the file is damaged"),
        ("[]", "can't be read: the file is damaged"),
        ('{"version": "1", "trainings": []}', "can't be read: the file is damaged"),
        ('{"version": 3, "soon": []}', "are from a newer version of Workbench: use that one"),
    ],
)
def test_a_file_that_can_not_be_read_is_told_and_put_aside(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / queue_file.FILE
    file.write_text(text)
    (tmp_path / "training-queue-1.json").write_text("an earlier one")
    queue = TrainingQueue(tmp_path)
    assert why in queue.sentence
    assert queue.sentence.startswith(str(file))
    assert file.read_text() == text
    queue.add([wanted("a")])
    assert queue.put_aside == tmp_path / "training-queue-2.json"
    assert queue.put_aside.read_text() == text
    assert (tmp_path / "training-queue-1.json").read_text() == "an earlier one"
    assert on_disk(tmp_path) == ["a"]
    assert queue.sentence.startswith("1 training waits.")


@pytest.mark.parametrize(
    "field", ["name", "recipe", "anchors", "start", "start_near", "problem", "resumes", "shares_data"]
)
def test_a_training_of_another_form_is_damage(tmp_path: Path, field: str) -> None:
    queue = TrainingQueue(tmp_path)
    queue.add([wanted("a", anchors=ANCHORS)])
    table = json.loads(queue.file.read_text("utf-8"))
    table["trainings"][0][field] = 7
    queue.file.write_text(json.dumps(table), "utf-8")
    assert "damaged" in TrainingQueue(tmp_path).unread


@pytest.mark.parametrize(
    ("call", "damaged", "told"),
    [
        ("pathlib.Path.read_bytes", False, "the waiting trainings can't be read: no access. It is kept, and put aside"),
        ("pathlib.Path.unlink", False, "could not be deleted: no access."),
        ("os.rename", True, "could not be put aside: no access. Move it."),
    ],
)
def test_a_file_without_access_is_named_and_the_queue_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, damaged: bool, told: str
) -> None:
    queue = TrainingQueue(tmp_path)
    queue.add([wanted("a")])
    if damaged:
        queue.file.write_text("{")
        queue = TrainingQueue(tmp_path)
    before, waiting = queue.file.read_bytes(), queue.waiting

    def shut(*_: object, **__: object) -> None:
        raise OSError(13, "no access")

    with monkeypatch.context() as patch:
        patch.setattr(call, shut)
        with pytest.raises(WorkbenchError) as refused:
            if call.endswith("read_bytes"):
                queue_file.read(queue.file)
            elif damaged:
                queue.add([wanted("b")])
            else:
                queue.remove(waiting[0].key)
    assert refused.value.sentence.startswith(str(queue.file))
    assert told in refused.value.sentence
    assert (queue.file.read_bytes(), queue.waiting) == (before, waiting)


def test_a_file_that_was_moved_by_hand_is_not_put_aside(tmp_path: Path) -> None:
    """Each change was refused until the project was opened again: "could not be put aside: No such file. Move it."."""
    file = tmp_path / queue_file.FILE
    file.write_text("{")
    queue = TrainingQueue(tmp_path)
    file.rename(tmp_path / "elsewhere.json")
    queue.add([wanted("a")])
    assert (on_disk(tmp_path), queue.unread, queue.put_aside) == (["a"], "", None)


@pytest.mark.parametrize("preset", recipes.names())
def test_the_recipe_that_is_read_again_is_the_one_that_was_queued(tmp_path: Path, preset: str) -> None:
    """For every detector: None ("auto") is left out of the file, where the authors of a detector set a number."""
    queue, queued = TrainingQueue(tmp_path), []
    built_in = [name for name in detectors.load_all().names() if detectors.detectors.owner(name) == "built in"]
    for name in built_in:  # others are of plugins that a test loaded
        recipe = recipes.preset(preset).with_detector(name)
        rows = (*settings.rows(type(recipe.detector_settings)), *settings.rows(TrainingSettings))
        recipe = recipe.changed({row.name: None for row in rows if row.optional} | {"tiles": 128, "ema": 0.25})
        queued.append(recipe)
        queue.add([QueuedTraining(name, recipes.to_dict(recipe))])
    assert [recipes.from_dict(one.recipe) for one in TrainingQueue(tmp_path).waiting] == queued
