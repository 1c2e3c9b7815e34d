"""The document against a plain model: any edits, undo, redo and restarts, and what is on disk is what was meant.

The model is three dictionaries, and a list of what they were before each edit; nothing of the store, of inverses or of
the journal. Hypothesis looks for a sequence of steps after which the two differ.
"""

from __future__ import annotations

import copy
import dataclasses
import shutil
import tempfile
import typing
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from PIL import Image as Picture

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.core.storage import history
from workbench.errors import WorkbenchError

IMAGES = 4
corners = st.tuples(*(st.integers(0, 90) for _ in range(2)), *(st.integers(1, 60) for _ in range(2)))
names = st.sampled_from(["cell", "Zelle", "細胞", "a b", "x"])
which = st.integers(0, 10_000)


@dataclass
class Model:
    """What a project should hold."""

    labels: dict[int, str] = field(default_factory=dict)
    images: dict[int, tuple[State, Split]] = field(default_factory=dict)
    boxes: dict[int, Box] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)
    anchors: Any = None  # a setting, any value

    def drop(self, ids: list[int]) -> None:
        for id in ids:
            del self.boxes[id]


class Work(RuleBasedStateMachine):
    """A person at work, with the lamp going out now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="workbench-model-"))
        (self.folder / "photographs").mkdir()
        for number in range(IMAGES):
            Picture.new("RGB", (150, 150)).save(self.folder / "photographs" / f"{number}.png")
        self.document = Document.create(self.folder / "project", self.folder / "photographs")
        self.model = Model(images={i.id: (i.state, i.split) for i in self.document.images()})
        self.past: list[Model] = []
        self.future: list[Model] = []

    def teardown(self) -> None:
        self.document.close()
        shutil.rmtree(self.folder)

    # --- choosing among what there is ---

    def one(self, things: Any, number: int) -> Any:
        known = sorted(things)
        return known[number % len(known)]

    def begin(self) -> Model:
        """Before an edit: what is now becomes the past."""
        self.past.append(copy.deepcopy(self.model))
        self.future.clear()
        return self.model

    # --- edits ---

    @rule(name=names)
    def add_label(self, name: str) -> None:
        if name in self.model.labels.values():
            with pytest.raises(WorkbenchError, match="already"):
                self.document.do(edits.AddLabels((Label(0, name),)))
            return
        applied = self.document.do(edits.AddLabels((Label(0, name),)))
        (label,) = applied.added_labels
        assert label.id not in self.model.labels
        self.begin().labels[label.id] = name

    @precondition(lambda self: self.model.labels and self.model.images)
    @rule(image=which, label=which, places=st.lists(corners, min_size=1, max_size=3), flag=st.booleans())
    def draw(self, image: int, label: int, places: list[tuple[int, ...]], flag: bool) -> None:
        owner, kind = self.one(self.model.images, image), self.one(self.model.labels, label)
        boxes = tuple(
            Box(0, owner, kind, (x, y, x + w, y + h), difficult=flag, note="ä" if flag else "") for x, y, w, h in places
        )
        applied = self.document.draw(boxes)
        model = self.begin()
        for box, added in zip(boxes, applied.added_boxes, strict=True):
            assert added.id not in model.boxes
            model.boxes[added.id] = dataclasses.replace(box, id=added.id)
        state, split = model.images[owner]
        model.images[owner] = (State.IN_WORK if state is State.UNLABELLED else state, split)

    @precondition(lambda self: self.model.boxes)
    @rule(numbers=st.lists(which, min_size=1, max_size=3))
    def delete(self, numbers: list[int]) -> None:
        ids = sorted({self.one(self.model.boxes, number) for number in numbers})
        self.document.do(edits.RemoveBoxes(tuple(ids)))
        self.begin().drop(ids)

    @precondition(lambda self: self.model.boxes)
    @rule(number=which, place=corners, label=which, note=st.text(max_size=5))
    def change(self, number: int, place: tuple[int, ...], label: int, note: str) -> None:
        x, y, w, h = place
        old = self.model.boxes[self.one(self.model.boxes, number)]
        kind = self.one(self.model.labels, label)
        new = dataclasses.replace(old, xyxy=(x, y, x + w, y + h), label=kind, note=note, occluded=not old.occluded)
        self.document.do(edits.ReplaceBoxes((new,)))
        self.begin().boxes[old.id] = new

    @precondition(lambda self: len(self.model.labels) > 1)
    @rule(a=which, b=which)
    def merge(self, a: int, b: int) -> None:
        source, target = self.one(self.model.labels, a), self.one(self.model.labels, b)
        if source == target:
            with pytest.raises(WorkbenchError):
                self.document.do(edits.MergeLabels(source, target))
            return
        self.document.do(edits.MergeLabels(source, target))
        model = self.begin()
        del model.labels[source]
        for id, box in model.boxes.items():
            if box.label == source:
                model.boxes[id] = dataclasses.replace(box, label=target)

    @precondition(lambda self: self.model.boxes)
    @rule(numbers=st.lists(which, min_size=1, max_size=3), name=names)
    def split_off(self, numbers: list[int], name: str) -> None:
        boxes = [self.model.boxes[id] for id in sorted({self.one(self.model.boxes, number) for number in numbers})]
        if name in self.model.labels.values():
            with pytest.raises(WorkbenchError, match="already"):
                self.document.split_off(boxes, name)
            return
        (label,) = self.document.split_off(boxes, name).added_labels
        model = self.begin()
        assert label.id not in model.labels
        model.labels[label.id] = name
        model.boxes.update({box.id: dataclasses.replace(box, label=label.id) for box in boxes})

    @precondition(lambda self: self.model.labels)
    @rule(number=which)
    def delete_label(self, number: int) -> None:
        label = self.one(self.model.labels, number)
        self.document.do(edits.RemoveLabel(label))
        model = self.begin()
        del model.labels[label]
        model.drop([id for id, box in model.boxes.items() if box.label == label])

    @precondition(lambda self: self.model.labels)
    @rule(number=which, name=names)
    def rename(self, number: int, name: str) -> None:
        id = self.one(self.model.labels, number)
        change = edits.ChangeLabel(dataclasses.replace(self.document.label(id), name=name))
        if any(other == name and key != id for key, other in self.model.labels.items()):
            with pytest.raises(WorkbenchError, match="already"):
                self.document.do(change)
            return
        self.document.do(change)
        self.begin().labels[id] = name

    @precondition(lambda self: self.model.images)
    @rule(numbers=st.lists(which, min_size=1, max_size=4), state=st.sampled_from(State), split=st.sampled_from(Split))
    def mark(self, numbers: list[int], state: State, split: Split) -> None:
        ids = tuple(sorted({self.one(self.model.images, number) for number in numbers}))
        self.document.do(edits.Batch((edits.SetState(ids, state), edits.SetSplit(ids, split)), "Mark"))
        self.begin().images.update(dict.fromkeys(ids, (state, split)))

    @precondition(lambda self: self.model.images)
    @rule(numbers=st.lists(which, min_size=1, max_size=3), note=st.text(max_size=3))
    def write_a_note(self, numbers: list[int], note: str) -> None:
        ids = tuple(sorted({self.one(self.model.images, number) for number in numbers}))
        self.document.do(edits.SetNote(ids, note))
        self.begin().notes.update(dict.fromkeys(ids, note))

    @rule(value=st.none() | st.lists(st.integers(0, 9), max_size=2))
    def keep_anchors(self, value: list[int] | None) -> None:
        self.document.do(edits.ChangeSetting("anchors", value))
        self.begin().anchors = value

    @precondition(lambda self: len(self.model.images) > 1)
    @rule(number=which)
    def take_out(self, number: int) -> None:
        image = self.one(self.model.images, number)
        self.document.do(edits.RemoveImages((image,)))
        model = self.begin()
        del model.images[image]
        model.notes.pop(image, None)
        model.drop([id for id, box in model.boxes.items() if box.image == image])

    @rule()
    def add_images_again(self) -> None:
        before = set(self.model.images)
        applied = self.document.add_folder(self.folder / "photographs")
        assert (applied is None) is (len(before) == IMAGES)
        if applied is not None:
            new = [image.id for image in self.document.images() if image.id not in before]
            assert len(new) == IMAGES - len(before)
            self.begin().images.update(dict.fromkeys(new, (State.UNLABELLED, Split.NONE)))

    @rule(label=which, image=which)
    def an_edit_that_fails_changes_nothing(self, label: int, image: int) -> None:
        """The second half of a batch is refused: the first must not stay."""
        bad = edits.Batch((edits.AddLabels((Label(0, "half"),)), edits.ChangeLabel(Label(999_999, "nobody"))), "Half")
        with pytest.raises(WorkbenchError):
            self.document.do(bad)

    # --- time ---

    @rule(steps=st.integers(1, 4))
    def undo(self, steps: int) -> None:
        for _ in range(steps):
            assert (self.document.undo() is None) is (not self.past)
            if self.past:
                self.future.append(self.model)
                self.model = self.past.pop()

    @rule(steps=st.integers(1, 4))
    def redo(self, steps: int) -> None:
        for _ in range(steps):
            assert (self.document.redo() is None) is (not self.future)
            if self.future:
                self.past.append(self.model)
                self.model = self.future.pop()

    @rule(number=which)
    def go_to(self, number: int) -> None:
        """To any step, the beginning included, back or forth."""
        entries = history.of_project(self.document)
        assert len(entries) == len(self.past) + len(self.future)
        wanted = number % (len(entries) + 1)  # edits in force afterwards
        moved = wanted - len(self.past)
        applied = self.document.go_to(entries[len(entries) - wanted].seq if wanted else 0)
        assert (0 if applied is None else applied.steps) == abs(moved)
        for _ in range(abs(moved)):
            origin, target = (self.past, self.future) if moved < 0 else (self.future, self.past)
            target.append(self.model)
            self.model = origin.pop()

    @rule()
    def restart(self) -> None:
        self.document.close()
        self.document = Document.open(self.folder / "project")

    @precondition(lambda self: self.model.images and self.past)
    @rule(image=which, entry=which)
    def restore_an_image(self, image: int, entry: int) -> None:
        id = self.one(self.model.images, image)
        entries = history.of_image(self.document, id)
        if not entries:
            return
        past = entries[entry % len(entries)].past
        assert past is not None
        edit = history.restore_edit(self.document, id, past, "Restore")
        if edit is None:
            return
        self.document.do(edit)
        model = self.begin()
        now = {key: box for key, box in model.boxes.items() if box.image == id}
        model.drop(list(now))
        for box in past.boxes:
            if box.label in model.labels:
                model.boxes[box.id] = box
            elif box.id in now:
                model.boxes[box.id] = dataclasses.replace(box, label=now[box.id].label)
        model.images[id] = (past.state, model.images[id][1])

    # --- what must hold at any time ---

    @invariant()
    def all_is_as_meant(self) -> None:
        document, model = self.document, self.model
        assert {label.id: label.name for label in document.labels()} == model.labels
        assert {image.id: (image.state, image.split) for image in document.images()} == model.images
        notes = {image.id: image.note for image in document.images() if image.note}
        assert notes == {id: note for id, note in model.notes.items() if note}
        assert document.setting("anchors") == model.anchors
        found = [box for image in model.images for box in document.boxes(image)]
        assert {box.id: box for box in found} == model.boxes
        assert document.box_counts() == Counter(box.image for box in model.boxes.values())
        assert document.counts().total == len(model.boxes)
        assert bool(document.undo_title) is bool(self.past)
        assert bool(document.redo_title) is bool(self.future)

    @invariant()
    def the_snapshot_is_the_same(self) -> None:
        snapshot = self.document.snapshot()
        assert sorted(snapshot.box_ids.tolist()) == sorted(self.model.boxes)
        for row, id in enumerate(snapshot.box_ids.tolist()):
            assert tuple(snapshot.boxes[row]) == self.model.boxes[id].xyxy
            assert snapshot.labels[snapshot.label_index[row]].id == self.model.boxes[id].label


# Without shrinking, which would run for minutes on a real disk: the steps are printed as they were found
Work.TestCase.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, derandomize=True,
    suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate),
)  # fmt: skip
TestWork = Work.TestCase


def test_each_kind_of_edit_is_among_the_steps() -> None:
    used = Path(__file__).read_text(encoding="utf-8")
    kinds = {kind.__name__ for kind in typing.get_args(edits.Edit)}
    through = {"AddBoxes": "document.draw(", "AddImages": "document.add_folder("}
    assert [kind for kind in kinds if through.get(kind, f"edits.{kind}(") not in used] == []
