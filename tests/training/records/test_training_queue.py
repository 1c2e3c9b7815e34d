"""Which training begins when, what holds the queue, and that its file loses none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.core.project import AnchorSet
from workbench.errors import WorkbenchError
from workbench.training.records import queue_file
from workbench.training.records.queue_file import QueuedTraining
from workbench.training.records.training_queue import Hold, TrainingQueue

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


def test_a_queue_whose_file_somebody_has_deleted_can_be_emptied(tmp_path: Path) -> None:
    queue = TrainingQueue(tmp_path)
    (a,) = queue.add([wanted("a")])
    queue.file.unlink()
    queue.remove(a.key)
    assert queue.waiting == ()


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
