"""The moves of a random walk: edits of all kinds, and the routes to other images (walk_routes).

Each does to the window what a person does, and to the model what must come of it.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QCheckBox, QComboBox, QLineEdit

from tests.promises.walk_model import DONE, VERIFIED
from tests.promises.walk_routes import (
    by_a_command_of_the_palette,
    by_a_double_click,
    by_search,
    by_the_gallery,
    by_the_list,
    by_the_palette,
    next_image,
    next_unlabelled,
    previous_image,
)
from tests.promises.walking import CTRL, LEFT, NONE, SHIFT, Walk
from tests.ui.window_driver import find

MOST, MOST_LABELS = 12, 8
"""Boxes of one image and labels from which on none is added: a hand must find its place among them."""
LARGE = 8.0
"""Image pixels: boxes that the mouse takes hold of have sides of this at least."""


# --- new boxes ---


def draw(walk: Walk) -> bool:
    if len(walk.model.here) >= MOST:
        return False
    readable, place = walk.is_readable(), walk.a_place()
    walk.hand.draw(place[:2], place[2:])
    if readable:
        walk.model.add((walk.new_thing(place),))
    return True


def draw_by_clicks(walk: Walk) -> bool:
    if len(walk.model.here) >= MOST or not walk.is_readable():
        return False
    place = walk.a_place()
    walk.hand.key(Qt.Key.Key_W)
    walk.hand.click(*place[:2])
    QTest.mouseMove(walk.canvas, walk.hand.at(*place[2:]))
    walk.hand.click(*place[2:])
    walk.model.add((walk.new_thing(place),))
    return True


def draw_where_the_filter_hides(walk: Walk) -> bool:
    """The image is listed because it has no box, and no longer when it has one."""
    if walk.model.here or not walk.is_readable():
        return False
    label, place = find(walk.window, QComboBox, "image-filter-label"), walk.a_place()
    label.setCurrentIndex(label.findText("Without boxes"))
    walk.canvas.setFocus()
    walk.hand.draw(place[:2], place[2:])
    label.setCurrentIndex(0)
    walk.model.add((walk.new_thing(place),))
    return True


def draw_a_slip(walk: Walk) -> None:
    x, y = walk.a_place()[:2]
    walk.hand.draw((x, y), (x + 1, y + 9))


def paste(walk: Walk) -> bool:
    model = walk.model
    walk.is_readable()
    if len(model.here) + len(model.copied) > MOST:
        return False
    walk.hand.key(Qt.Key.Key_V, CTRL)
    made = model.pasted(tuple(thing for thing in model.copied if thing.label in model.held.labels))
    if made:
        model.add(made)
    return bool(made)


def copy(walk: Walk) -> bool:
    rows = walk.some_boxes()
    if not rows:
        return False
    walk.choose(rows)
    walk.hand.key(Qt.Key.Key_C, CTRL)
    walk.model.copied = tuple(walk.model.here[row] for row in rows)
    return True


def duplicate(walk: Walk) -> bool:
    rows = walk.some_boxes()
    if not rows or len(walk.model.here) + len(rows) > MOST:
        return False
    walk.choose(rows)
    walk.hand.key(Qt.Key.Key_D, CTRL)
    walk.model.add(walk.model.pasted(tuple(walk.model.here[row] for row in rows)))
    return True


def take_over(walk: Walk) -> bool:
    model = walk.model
    before = model.neighbour(-1)
    there = {(thing.label, thing.xyxy) for thing in model.here}
    missing = tuple(t for t in model.fitting(model.held.boxes[before]) if (t.label, t.xyxy) not in there)
    if len(model.here) + len(missing) > MOST:
        return False
    walk.hand.key(Qt.Key.Key_B, CTRL)
    made = missing if before != model.shown else ()
    if made:
        model.add(made)
    return bool(made)


# --- other boxes ---


def nudge(walk: Walk) -> bool:
    rows = walk.some_boxes()
    if not rows or not walk.is_readable():
        return False
    walk.choose(rows)
    for _ in range(walk.random.randint(1, 3)):
        key, dx, dy = walk.random.choice(ARROWS)
        held, far = walk.random.choice(((NONE, 1), (SHIFT, 10), (CTRL, 1000)))
        walk.hand.key(key, held)
        by = walk.pushed(rows, dx * far, dy * far)
        if any(by):
            walk.shift(rows, *by, loose=False)
    return True


def nudge_and_go(walk: Walk) -> bool:
    """The arrow is still held when the other image is asked for."""
    rows = walk.some_boxes()
    if not rows or not walk.is_readable():
        return False
    walk.choose(rows)
    key, dx, dy = walk.random.choice(ARROWS)
    for _ in range(3):
        QTest.keyPress(walk.canvas, key)
    by = walk.pushed(rows, dx * 3, dy * 3)
    if any(by):
        walk.shift(rows, *by, loose=False)
    walk.random.choice((next_image, previous_image, by_the_list, by_the_palette))(walk)
    QTest.keyRelease(walk.canvas, key)
    return True


def move(walk: Walk) -> bool:
    row = walk.any_box(LARGE)
    if row is None or not walk.is_readable():
        return False
    x0, y0, x1, y1 = walk.model.here[row].xyxy
    dx, dy = walk.random.randint(-30, 30), walk.random.randint(-30, 30)
    by = walk.pushed((row,), dx, dy)
    if max(map(abs, by)) < 2:
        return False  # less than the hand can be sure of
    walk.choose((row,))
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    walk.hand.drag(middle, (middle[0] + dx, middle[1] + dy))
    walk.shift((row,), *by, loose=True)
    return True


def resize(walk: Walk) -> bool:
    row = walk.any_box(LARGE)
    if row is None or not walk.is_readable():
        return False
    width, height = walk.model.sizes[walk.model.shown]
    x0, y0, x1, y1 = walk.model.here[row].xyxy
    if x0 + 14 > width or y0 + 14 > height:
        return False
    to = walk.random.randint(int(x0) + 10, int(width) - 4), walk.random.randint(int(y0) + 10, int(height) - 4)
    if max(abs(to[0] - x1), abs(to[1] - y1)) < 2:
        return False
    walk.choose((row,))
    walk.hand.drag((x1, y1), to)
    walk.model.replace((row,), xyxy=(x0, y0, float(to[0]), float(to[1])), loose=True)
    return True


def go_while_dragging(walk: Walk) -> bool:
    """What the hand has not let go of belongs to the image that was left, so it comes to nothing; never to another."""
    if not walk.is_readable() or len(walk.model.here) >= MOST:
        return False
    row, place = walk.any_box(LARGE), walk.a_place()
    by_drawing = row is None or walk.random.random() < 0.5
    if by_drawing or row is None:
        walk.hand.key(Qt.Key.Key_W)
        start = place[:2]
    else:
        x0, y0, x1, y1 = walk.model.here[row].xyxy
        walk.choose((row,))
        start = walk.random.choice((((x0 + x1) / 2, (y0 + y1) / 2), (x1, y1)))
    walk.press(*start)
    QTest.mouseMove(walk.canvas, walk.hand.at(*place[2:]))
    left, step = walk.model.shown, walk.random.choice((next_image, previous_image))
    if walk.model.neighbour(1 if step is next_image else -1) == left:  # nowhere to go: the hand goes on
        walk.hand.key(Qt.Key.Key_Escape)
    step(walk)
    walk.release(*place[2:])
    return True


def delete(walk: Walk) -> bool:
    rows = walk.some_boxes()
    if not rows:
        return False
    walk.choose(rows)
    walk.hand.key(Qt.Key.Key_Delete)
    walk.model.remove(rows)
    return True


def delete_all(walk: Walk) -> bool:
    if not walk.model.here:
        return False
    walk.hand.key(Qt.Key.Key_A, CTRL)
    walk.hand.key(Qt.Key.Key_Delete)
    walk.model.remove(tuple(range(len(walk.model.here))))
    return True


def relabel_by_number(walk: Walk) -> None:
    rows = walk.some_boxes()
    walk.choose(rows)
    number = walk.random.randrange(len(walk.model.held.labels))
    walk.hand.key(str(number + 1))
    _labelled(walk, rows, walk.model.held.labels[number])


def relabel_by_typing(walk: Walk) -> None:
    rows, labels = walk.some_boxes(), walk.model.held.labels
    walk.choose(rows)
    name = walk.random.choice(labels)
    if len(labels) < MOST_LABELS and walk.random.random() < 0.1:
        walk.made_labels += 1
        name = f"made {walk.made_labels:05}"
    walk.hand.key(Qt.Key.Key_E)
    walk.hand.type_label(name)
    if name not in labels:
        walk.model.change(label=name)
    _labelled(walk, rows, name)


def _labelled(walk: Walk, rows: tuple[int, ...], name: str) -> None:
    walk.model.label = name
    changed = tuple(row for row in rows if walk.model.here[row].label != name)
    if changed:
        walk.model.replace(changed, label=name)


def mark_difficult(walk: Walk) -> bool:
    row = walk.any_box()
    if row is None:
        return False
    walk.choose((row,))
    find(walk.window, QCheckBox, "flag-difficult").click()
    walk.model.replace((row,), difficult=not walk.model.here[row].difficult)
    return True


def note(walk: Walk) -> bool:
    """With Enter, or gone on without."""
    row = walk.any_box()
    if row is None:
        return False
    walk.choose((row,))
    field, words = find(walk.window, QLineEdit, "box-note"), f"note {walk.random.randrange(1000)}"
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, words)
    if words != walk.model.here[row].note:
        walk.model.replace((row,), note=words)
    if walk.random.random() < 0.5:
        QTest.keyClick(field, Qt.Key.Key_Return)
    else:
        walk.random.choice((by_the_list, by_the_palette, by_the_gallery))(walk)
    return True


# --- states, time, ends ---


def verify(walk: Walk) -> None:
    _finish(walk, Qt.Key.Key_Space, VERIFIED)


def done(walk: Walk) -> None:
    _finish(walk, Qt.Key.Key_N, DONE)


def _finish(walk: Walk, key: Qt.Key, state: str) -> None:
    walk.hand.settle()  # none is marked before it is seen
    unread = walk.unread
    walk.hand.key(key)
    if walk.model.shown not in unread:
        walk.model.change(states={walk.model.shown: state})
    following = walk.model.neighbour(1)
    walk.model.shown = following if following != walk.model.shown else walk.model.unlabelled(1)


def mark_in_the_gallery(walk: Walk) -> None:
    rows = walk.random.sample(range(len(walk.model.names)), 2)
    state = walk.random.choice(("done", "unlabelled"))
    QTest.keyClick(walk.window, Qt.Key.Key_1, CTRL)
    gallery = find(walk.window, QAbstractItemView, "gallery")
    walk.click_row(gallery, rows[0])
    walk.click_row(gallery, rows[1], CTRL)
    unread = walk.unread if state == "done" else frozenset[str]()
    QTest.mouseClick(find(walk.window, QAbstractButton, f"set-state-{state}"), LEFT)
    walk.model.shown = walk.model.names[rows[1]]
    if marked := {walk.model.names[row]: state for row in rows if walk.model.names[row] not in unread}:
        walk.model.change(states=marked)


def undo(walk: Walk) -> None:
    for _ in range(walk.random.randint(1, 4)):
        walk.hand.key(Qt.Key.Key_Z, CTRL)
        walk.model.undo()


def redo(walk: Walk) -> None:
    for _ in range(walk.random.randint(1, 3)):
        walk.hand.key(Qt.Key.Key_Z, CTRL | SHIFT)
        walk.model.redo()


def reopen(walk: Walk) -> None:
    walk.window.close()
    walk.model.reopened()
    walk.open()


ARROWS = (
    (Qt.Key.Key_Left, -1, 0), (Qt.Key.Key_Right, 1, 0), (Qt.Key.Key_Up, 0, -1), (Qt.Key.Key_Down, 0, 1),
)  # fmt: skip
MOVES: dict[Callable[[Walk], bool | None], float] = {
    next_image: 8, previous_image: 6, next_unlabelled: 3, by_the_list: 5, by_a_double_click: 2, by_the_gallery: 2,
    by_search: 2, by_the_palette: 2, by_a_command_of_the_palette: 1,
    draw: 10, draw_by_clicks: 3, draw_where_the_filter_hides: 1, draw_a_slip: 1,
    copy: 4, paste: 5, duplicate: 2, take_over: 3,
    nudge: 4, nudge_and_go: 4, move: 6, resize: 5, go_while_dragging: 5, delete: 4, delete_all: 1,
    relabel_by_number: 4, relabel_by_typing: 2, mark_difficult: 2, note: 3,
    verify: 2, done: 2, mark_in_the_gallery: 1, undo: 6, redo: 4, reopen: 0.4,
}  # fmt: skip
"""How likely each move is."""
