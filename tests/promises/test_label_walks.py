"""Edits of all kinds by chance, labels and images among them: undo, redo and restarts give back just what there was.

And a network of any time knows its labels through every renaming and merging since, by names and ids of that time.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.promises.form import times
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.edits import Edit
from workbench.core.former_names import UNDONE, other_names
from workbench.core.project import Box, Image, Label, Split, State
from workbench.errors import WorkbenchError

NAMES = ("cat", "dog", "bird", "fox", "owl")
PATHS = tuple(f"{number}.jpg" for number in range(5))
STEPS = 100
Contents = tuple[object, ...]


def contents(document: Document) -> Contents:
    """All that undo gives back, as the file has it; what is held in memory must agree with it."""
    labels = {label.id: label for label in document.labels()}
    images = {image.id: image for image in document.images()}
    boxes = [box for image in images for box in document.boxes(image)]
    counts = Counter(box.image for box in boxes), Counter(box.label for box in boxes)
    assert (document.box_counts(), {k: n for k, n in document.label_counts().items() if n}) == counts
    assert document.store.rows("SELECT count(*) FROM box")[0][0] == len(boxes)
    kept = document.store.rows("SELECT key, value FROM meta WHERE key != ? ORDER BY key", UNDONE)
    return labels, images, sorted(boxes, key=lambda box: box.id), [tuple(row) for row in kept]


@dataclass
class Walk:
    """`stack[: at + 1]` are the contents after each edit that is done, the others are undone. `became`: by a model of
    its own, each merged label's target; one dictionary per entry of the stack.
    """

    chance: random.Random
    document: Document
    root: int
    stack: list[Contents] = field(default_factory=list)
    became: list[dict[int, int]] = field(default_factory=list)
    at: int = 0

    def step(self) -> None:
        luck = self.chance.random()
        if luck < 0.2:
            self.at -= self.document.undo() is not None
        elif luck < 0.33:
            self.at += self.document.redo() is not None
        elif luck < 0.36:
            self.document.close()
            self.document = Document.open(self.document.folder)
        elif (edit := self.some_edit()) is not None:
            self.do(edit)
        assert contents(self.document) == self.stack[self.at]

    def do(self, edit: Edit) -> None:
        became = dict(self.became[self.at])
        try:
            self.document.do(edit)
        except WorkbenchError:  # a name is taken
            return
        if isinstance(edit, edits.MergeLabels):
            became[edit.source] = edit.target
        self.at += 1
        self.stack[self.at :], self.became[self.at :] = [contents(self.document)], [became]

    def some_edit(self) -> Edit | None:
        chance, labels, images = self.chance, self.document.labels(), list(self.document.images())
        boxes = [box for image in images for box in self.document.boxes(image.id)]
        some = tuple(chance.sample(boxes, min(2, len(boxes))))
        few = tuple(image.id for image in chance.sample(images, min(2, len(images))))
        missing = tuple(
            Image(0, path, 100, 50, root=self.root) for path in PATHS if path not in {i.path for i in images}
        )
        new, name, (one, other) = Label(0, chance.choice(NAMES)), chance.choice(NAMES), chance.sample(labels, 2)
        x = chance.randrange(50)
        renamed = edits.ChangeLabel(replace(one, name=name))
        choices: list[Edit] = [edits.AddLabels((new,)), renamed, renamed]
        if len(labels) > 2:
            choices += [edits.MergeLabels(one.id, other.id), edits.RemoveLabel(one.id)]
        if missing:
            choices.append(edits.AddImages(missing))
        if images:
            drawn = tuple(Box(0, chance.choice(few), chance.choice(labels).id, (x, 0, 60, 9)) for _ in range(3))
            choices += [edits.AddBoxes(drawn), edits.AddBoxes(drawn), edits.RemoveImages(few)]
            choices += [
                edits.SetState(few, chance.choice(list(State))),
                edits.SetSplit(few, chance.choice(list(Split))),
            ]
        if some:
            choices.append(edits.RemoveBoxes(tuple(box.id for box in some)))
            choices.append(edits.ReplaceBoxes(tuple(replace(box, label=other.id, note=name) for box in some)))
        return chance.choice(choices)

    def misnamed(self, trained: tuple[Label, ...]) -> list[str]:
        """Labels of a network of that time that would be taken for another one than they are now."""
        now = {label.name: label.id for label in self.document.labels()}
        means, wrong = other_names(self.document, trained), []
        for label in trained:
            id = label.id
            while id in self.became[self.at]:
                id = self.became[self.at][id]
            taken_for = means.get(label.name, now.get(label.name))
            if id in now.values() and taken_for != id:
                wrong.append(f"{label.name} ({label.id}): {taken_for}, not {id}")
        return wrong


def test_random_edits_of_labels_and_images_are_undone_exactly_and_networks_know_their_labels(tmp_path: Path) -> None:
    walks, known = times(8, 200), 0
    for number in range(walks):
        with Document.create(tmp_path / f"{number}") as document:
            root = document.add_root(tmp_path)
            document.do(edits.AddLabels(tuple(Label(0, name) for name in NAMES[:3])))
            document.do(edits.AddImages(tuple(Image(0, path, 100, 50, root=root) for path in PATHS)))
            document.clear_history()
            walk = Walk(random.Random(number), document, root, [contents(document)], [{}])
        walk.document = Document.open(document.folder)
        times_trained = []
        for _ in range(STEPS):
            walk.step()
            if walk.chance.random() < 0.1:
                times_trained.append(walk.document.labels())
            for trained in times_trained:
                assert walk.misnamed(trained) == [], f"walk {number}"
                known += len(trained)
        walk.document.close()
    print(
        f"\nlabel walks: {walks} of {STEPS} edits undone and redone exactly; {known:,} labels known by their networks"
    )
    assert known > 1000
