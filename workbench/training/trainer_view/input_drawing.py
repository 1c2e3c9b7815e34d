"""Draws what the trainer sees into a picture: the input, its boxes, and which part of a detector learns each. No Qt.

Cells that learn are filled in the colour of their box and anchors outlined; ignored cells are darkened; if not all
background is learnt, the chosen part has crosses. A box that nothing learns is red, an ignored one grey.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.project import rgb
from workbench.training.trainer_view.box_colours import IGNORED, INKS, MISSED, Floats, choose_colours
from workbench.training.trainer_view.input_assignment import InputAssignment
from workbench.training.trainer_view.network_input import NetworkInput

LEAST = 640  # pixels of the picture's side, so that lines are thin compared with boxes
FILL, DARK = 0.35, 0.55  # shares of a cell's colour, and of a darkened cell's brightness
MANY = 100  # with more positives only their centres are drawn: else they would hide the picture

Pixels = NDArray[np.uint8]


def draw(sample: NetworkInput, found: InputAssignment) -> Pixels:
    """(side, side, 3) RGB: the input enlarged by a whole factor."""
    times = max(1, -(-LEAST // sample.side))
    image = np.ascontiguousarray(sample.pixels.repeat(times, axis=0).repeat(times, axis=1))
    chosen = choose_colours(sample.boxes.astype(np.float64), sample.side)
    cells = found.cells(sample.side) * times
    _darken(image, found, cells)
    _crosses(image, found, cells)
    _positives(image, found, cells, found.explained.layout.boxes.double().numpy() * times, chosen)
    small = {m for m, one in sample.ignored_as().items() if one.small}
    missed = {m for m, _ in found.unmatched}
    for m, box in enumerate((sample.boxes * times).tolist()):
        ignored = bool(sample.ignore[m]) and m not in small
        ink = IGNORED if ignored else MISSED if m in missed else INKS[chosen[m]]
        _outline(image, box, (0, 0, 0), 4)
        _outline(image, box, rgb(ink), 2)
    return image


def _darken(image: Pixels, found: InputAssignment, cells: Floats) -> None:
    """Darken cells with something ignored and without the centre of anything that learns."""
    if found.explained.ignored is None:
        return
    learning = cells[found.explained.prior.numpy()]
    middles = (learning[:, :2] + learning[:, 2:]) / 2
    for cell in np.unique(cells[found.explained.ignored[0].numpy()], axis=0):
        if not ((cell[:2] <= middles) & (middles < cell[2:])).all(axis=1).any():
            part = _part(image, cell)
            part[:] = part * DARK


def _crosses(image: Pixels, found: InputAssignment, cells: Floats) -> None:
    about = found.explained
    if (
        about.negative is None
        or about.ignored is None
        or not (~(about.positive | about.ignored | about.negative)).any()
    ):
        return
    for x, y in np.unique(cells[about.negative[0].numpy()], axis=0)[:, [0, 1, 2, 3]].reshape(-1, 2, 2).mean(axis=1):
        cv2.drawMarker(image, (round(x), round(y)), (255, 255, 255), cv2.MARKER_TILTED_CROSS, 6, 1)


def _positives(image: Pixels, found: InputAssignment, cells: Floats, priors: Floats, chosen: tuple[int, ...]) -> None:
    about = found.explained
    few = len(about.prior) <= MANY
    for prior, m in zip(about.prior.tolist(), about.box.tolist(), strict=True):
        ink = rgb(INKS[chosen[m]])
        if few and about.layout.kind != "point":
            part = _part(image, cells[prior])
            part[:] = part * (1 - FILL) + np.array(ink) * FILL
        if few and about.layout.kind == "anchor":
            _outline(image, priors[prior].tolist(), ink, 1)
    for prior, m in zip(about.prior.tolist(), about.box.tolist(), strict=True):
        x, y = (cells[prior, :2] + cells[prior, 2:]) / 2
        cv2.circle(image, (round(x), round(y)), 4, (0, 0, 0), -1, cv2.LINE_AA)
        cv2.circle(image, (round(x), round(y)), 3, rgb(INKS[chosen[m]]), -1, cv2.LINE_AA)


def _part(image: Pixels, cell: Floats) -> Pixels:
    x0, y0, x1, y1 = np.rint(cell.clip(0, len(image))).astype(int).tolist()
    return image[y0:y1, x0:x1]


def _outline(image: Pixels, box: list[float], ink: tuple[int, int, int], width: int) -> None:
    x0, y0, x1, y1 = (round(edge) for edge in box)
    cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), ink, width)
