"""Which training begins when, what holds the queue, and that its file loses none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from workbench import detectors, settings
from workbench.core.project import AnchorSet
from workbench.errors import WorkbenchError
from workbench.training import queue_file, recipes
from workbench.training.queue_file import QueuedTraining
from workbench.training.settings import TrainingSettings
from workbench.training.training_queue import Hold, TrainingQueue

ANCHORS = AnchorSet(((8.0, 8.5), (32.0, 30.25)), 320, tiles=640)


def wanted(name: str, **more: Any) -> QueuedTraining:
    recipe = {"title": "Few images", "detector": "fcos", "training": {"epochs": 7, "learning_rate": 0.1}}
    return QueuedTraining(name, recipe, **more)


def names(queue: TrainingQueue) -> list[str]:
    return [one.name for one in queue.waiting]


def on_disk(folder: Path) -> list[str]:
    return [one.name for one in queue_file.read(folder / queue_file.FILE)]


@pytest.fixture
def queue(tmp_path: Path) -> TrainingQueue:
    """a, b and c wait while another training runs."""
    made = TrainingQueue(tmp_path)
    made.begin(None)
    for name in "abc":
        made.add([wanted(name)])
    return made


def begin_due(queue: TrainingQueue) -> str:
    """Begin what is due, as the window does; its name."""
    due = queue.due
    assert due is not None
    queue.begin(due.key)
    return due.name


# --- one after the other ---


def test_each_begins_when_the_one_before_has_ended_and_nothing_is_left(queue: TrainingQueue, tmp_path: Path) -> None:
    assert (queue.due, queue.place) == (None, (1, 4))
    begun = []
    while queue.is_training:
        queue.end(stopped=False)
        if queue.due is None:
            break
        begun.append((begin_due(queue), queue.place))
        queue.started()
    assert begun == [("a", (2, 4)), ("b", (3, 4)), ("c", (4, 4))]
    assert list(tmp_path.iterdir()) == []
    assert (queue.sentence, queue.hold) == ("", Hold.NONE)
    queue.begin(None)
    assert queue.place == (1, 1), "the next one is the first again"


def test_one_that_has_begun_but_not_started_is_still_on_disk(queue: TrainingQueue, tmp_path: Path) -> None:
    queue.end(stopped=False)
    begin_due(queue)
    assert on_disk(tmp_path) == ["a", "b", "c"]
    assert [one.name for one in queue.ready] == ["b", "c"]
    with pytest.raises(WorkbenchError, match="being started"):
        queue.remove(queue.waiting[0].key)
    with pytest.raises(WorkbenchError, match="being started"):
        queue.move(queue.waiting[0].key, 1)
    queue.started()
    assert on_disk(tmp_path) == ["b", "c"]
    queue.end(stopped=False)
    assert begin_due(queue) == "b"


def test_one_that_can_not_begin_stays_with_the_reason_and_the_next_one_begins(
    queue: TrainingQueue, tmp_path: Path
) -> None:
    queue.end(stopped=False)
    begin_due(queue)
    queue.end(stopped=False, refused="No image to train on.")
    assert begin_due(queue) == "b"
    queue.started()
    queue.refuse(queue.waiting[-1].key, "There is no such file.")
    queue.end(stopped=False)
    assert queue.due is None
    assert queue.sentence == "2 trainings could not begin: the reason is in the list."
    kept = queue_file.read(tmp_path / queue_file.FILE)
    assert [(one.name, one.problem) for one in kept] == [
        ("a", "No image to train on."),
        ("c", "There is no such file."),
    ]
    queue.go_on()
    assert begin_due(queue) == "a", "tried again"


def test_a_failure_after_the_start_goes_on_with_the_next(queue: TrainingQueue) -> None:
    queue.end(stopped=False)
    begin_due(queue)
    queue.started()
    queue.end(stopped=False, refused="")
    assert begin_due(queue) == "b"


# --- held ---


def test_a_stop_holds_the_queue_until_a_person_lets_it_go_on(queue: TrainingQueue) -> None:
    queue.end(stopped=True)
    assert (queue.due, queue.hold) == (None, Hold.STOPPED)
    assert queue.sentence == "The queue is held because a training was stopped: 3 trainings wait."
    queue.begin(None)
    assert (queue.hold, queue.place) == (Hold.STOPPED, (1, 1)), "another training does not let it go on"
    queue.end(stopped=False)
    assert queue.due is None
    queue.go_on()
    assert begin_due(queue) == "a"


def test_a_stop_before_the_start_leaves_the_training_in_the_queue(queue: TrainingQueue, tmp_path: Path) -> None:
    queue.end(stopped=False)
    begin_due(queue)
    queue.end(stopped=True)
    assert (names(queue), on_disk(tmp_path), queue.hold) == (["a", "b", "c"], ["a", "b", "c"], Hold.STOPPED)


def test_a_stop_of_the_last_one_holds_nothing(tmp_path: Path) -> None:
    queue = TrainingQueue(tmp_path)
    queue.begin(None)
    queue.end(stopped=True)
    assert queue.hold is Hold.NONE


def test_who_holds_the_queue_lets_the_training_go_on(queue: TrainingQueue) -> None:
    queue.hold_back()
    assert queue.sentence == "The queue is held: 3 trainings wait."
    queue.end(stopped=False)
    assert queue.due is None
    queue.go_on()
    assert queue.due is not None


def test_what_is_queued_before_any_training_waits_for_one_or_for_a_word(tmp_path: Path) -> None:
    queue = TrainingQueue(tmp_path)
    queue.add([wanted("a")])
    assert (queue.due, queue.hold) == (None, Hold.UNBEGUN)
    assert queue.sentence == "1 training waits. Start the queue, or a training, which it then follows."
    queue.begin(None)
    assert queue.sentence == "1 training waits. Next: a."
    queue.add([wanted("")], first=True)
    assert queue.sentence == "2 trainings wait. Next: fcos.", "without a name of its own"
    queue.remove(queue.waiting[0].key)
    queue.end(stopped=False)
    assert begin_due(queue) == "a"


def test_a_training_beside_the_queue_that_was_refused_begins_nothing(tmp_path: Path) -> None:
    queue = TrainingQueue(tmp_path)
    queue.add([wanted("a")])
    queue.begin(None)
    queue.end(stopped=False, refused="The name is taken.")
    assert (queue.due, queue.hold) == (None, Hold.UNBEGUN)
    assert queue.refused == ()


def test_what_waited_when_the_project_was_closed_is_held(queue: TrainingQueue, tmp_path: Path) -> None:
    again = TrainingQueue(tmp_path)
    assert (names(again), again.hold, again.due) == (["a", "b", "c"], Hold.REOPENED, None)
    again.begin(None)
    again.end(stopped=False)
    assert again.due is None
    again.add([wanted("d")])
    assert len({one.key for one in again.waiting}) == 4
    again.go_on()
    assert begin_due(again) == "a"


def test_a_queue_that_was_emptied_is_not_held_any_more(queue: TrainingQueue) -> None:
    queue.end(stopped=True)
    for one in queue.waiting:
        queue.remove(one.key)
    assert queue.hold is Hold.NONE
    queue.add([wanted("d")])
    assert queue.hold is Hold.UNBEGUN


def test_a_held_queue_stays_held_whatever_is_changed_in_it(queue: TrainingQueue) -> None:
    queue.end(stopped=True)
    a, b, _ = queue.waiting
    queue.move(a.key, 1)
    queue.add([wanted("d")])
    queue.remove(b.key)
    queue.put_back(b, 0)
    assert (names(queue), queue.hold, queue.due) == (["b", "a", "c", "d"], Hold.STOPPED, None)
    queue.begin(None)
    queue.end(stopped=False, refused="The name is taken.")
    assert queue.hold is Hold.STOPPED


def test_what_is_queued_while_one_is_due_holds_nothing(queue: TrainingQueue) -> None:
    queue.end(stopped=False)
    (d,) = queue.add([wanted("d")], first=True)
    assert (names(queue), queue.due, queue.hold) == (["d", "a", "b", "c"], d, Hold.NONE)
    queue.remove(d.key)
    queue.put_back(d, 3)
    assert begin_due(queue) == "a"


def test_what_comes_back_into_an_empty_queue_begins_only_behind_a_training(tmp_path: Path) -> None:
    queue = TrainingQueue(tmp_path)
    (a,) = queue.add([wanted("a")])
    queue.remove(a.key)
    queue.put_back(a, 0)
    assert (queue.hold, queue.due) == (Hold.UNBEGUN, None)
    queue.begin(None)
    queue.remove(a.key)
    queue.put_back(a, 0)
    queue.end(stopped=False)
    assert queue.due == a


def test_where_nothing_waits_nothing_is_held(tmp_path: Path) -> None:
    queue = TrainingQueue(tmp_path)
    queue.hold_back()
    assert queue.hold is Hold.NONE
    queue.begin(None)
    queue.end(stopped=False, refused="The name is taken.")
    assert queue.hold is Hold.NONE


# --- order ---


def test_trainings_change_places_go_and_come_back(queue: TrainingQueue, tmp_path: Path) -> None:
    a, b, _ = queue.waiting
    queue.move(a.key, 1)
    assert on_disk(tmp_path) == ["b", "a", "c"]
    queue.move(b.key, -1)
    assert names(queue) == ["b", "a", "c"], "it is the first already"
    queue.move(b.key, 9)
    assert names(queue) == ["a", "c", "b"]
    queue.remove(b.key)
    queue.put_back(b, 1)
    assert on_disk(tmp_path) == ["a", "b", "c"]
    queue.remove(b.key)
    with pytest.raises(WorkbenchError, match="does not wait any more"):
        queue.move(b.key, 1)


def test_a_name_is_taken_as_a_folder_would_be(queue: TrainingQueue) -> None:
    queue.add([wanted("Cells: large")])
    queue.add([wanted("")])
    assert queue.is_taken("cells- LARGE")
    assert not queue.is_taken("cells")


# --- the file ---


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


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"version": 1, "trainings": [', ":1: the waiting trainings can't be read: not valid JSON"),
        ('{"version": 1, "trainings": [{"name": "a"}]}', "can't be read: the file is damaged"),
        ('{"version": 1, "trainings": 7}', "can't be read: the file is damaged"),
        ("[]", "can't be read: the file is damaged"),
        ('{"version": "1", "trainings": []}', "can't be read: the file is damaged"),
        ('{"version": 2, "soon": []}', "are from a newer version of Workbench: use that one"),
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


@pytest.mark.parametrize("field", ["name", "recipe", "anchors", "start", "start_near", "problem"])
def test_a_training_of_another_form_is_damage(tmp_path: Path, field: str) -> None:
    queue = TrainingQueue(tmp_path)
    queue.add([wanted("a", anchors=ANCHORS)])
    table = json.loads(queue.file.read_text("utf-8"))
    table["trainings"][0][field] = 7
    queue.file.write_text(json.dumps(table), "utf-8")
    assert "damaged" in TrainingQueue(tmp_path).unread


def test_a_queue_whose_file_somebody_has_deleted_can_be_emptied(tmp_path: Path) -> None:
    queue = TrainingQueue(tmp_path)
    (a,) = queue.add([wanted("a")])
    queue.file.unlink()
    queue.remove(a.key)
    assert queue.waiting == ()


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


def test_what_can_not_be_written_changes_nothing_but_what_has_begun_does_not_begin_again(
    queue: TrainingQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, waiting: object) -> None:
        raise WorkbenchError(f"{file} could not be written: the disk is full.")

    monkeypatch.setattr(queue_file, "write", full)
    with pytest.raises(WorkbenchError):
        queue.add([wanted("d")])
    with pytest.raises(WorkbenchError):
        queue.remove(queue.waiting[0].key)
    assert names(queue) == ["a", "b", "c"]
    queue.end(stopped=False)
    begin_due(queue)
    with pytest.raises(WorkbenchError):
        queue.started()
    assert names(queue) == ["b", "c"]
    queue.end(stopped=False)
    begin_due(queue)
    with pytest.raises(WorkbenchError):
        queue.end(stopped=False, refused="No image.")
    assert begin_due(queue) == "c"


@pytest.mark.parametrize("preset", recipes.names())
def test_the_recipe_that_is_read_again_is_the_one_that_was_queued(tmp_path: Path, preset: str) -> None:
    """For every detector: None ("auto") is left out of the file, where the authors of a detector set a number."""
    queue, queued = TrainingQueue(tmp_path), []
    for name in detectors.load_all().names():
        recipe = recipes.preset(preset).with_detector(name)
        rows = (*settings.rows(type(recipe.detector_settings)), *settings.rows(TrainingSettings))
        recipe = recipe.changed({row.name: None for row in rows if row.optional} | {"tiles": 128, "ema": 0.25})
        queued.append(recipe)
        queue.add([QueuedTraining(name, recipes.to_dict(recipe))])
    assert [recipes.from_dict(one.recipe) for one in TrainingQueue(tmp_path).waiting] == queued
