"""YOLOv1's head: every cell of a coarse grid predicts labels and a few boxes (YOLOv1, sections 2 and 2.2).

B = images, M = most boxes of an image, L = cells, P = boxes per cell, C = labels. The outputs are not cell by cell:
first the L x C label scores, then the L x P confidences, then the L x P boxes, as in Darknet's [detection]. A box is
its centre's place in the cell (0..1) and the square roots of its sides as shares of the image; nothing goes through a
sigmoid or a softmax. "Rule n" is a rule of Darknet's training, as listed in the reference.

Refused: logistic outputs as in later versions, although they train more easily. The paper's are linear.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.detectors.parts import losses, matching
from workbench.detectors.parts.detector import Assignment, Candidates, LabelRows, Raw, Targets
from workbench.detectors.parts.explained import Explained, Pairs, Roles, cells, explain, laid


@dataclass(frozen=True)
class DetectionRules:
    """The loss's settings; the defaults are those of cfg/yolov1.cfg and of the paper."""

    rescore: bool = True  # rule 8: confidence learns the box's current IoU; False = learns 1
    box_weight: float = 5.0
    background_weight: float = 0.5


UNKNOWN = "Which of a cell's boxes answers depends on what the network predicts: choose weights to see it."


@dataclass(frozen=True)
class _Outputs:
    labels: Tensor  # (B, L, C)
    confidence: Tensor  # (B, L, P)
    numbers: Tensor  # (B, L, P, 4) as the network has them
    boxes: Tensor  # (B, L, P, 4) xyxy pixels of the network input


@dataclass(frozen=True)
class _CellTargets:
    """What the cell of each box predicts for it. Where a box is not counted, a harmless one stands in."""

    cell: Tensor  # (B, M)
    counted: Tensor  # (B, M) bool
    labels: Tensor  # (B, M, C)
    confidence: Tensor  # (B, M, P)
    numbers: Tensor  # (B, M, P, 4)
    truth: Tensor  # (B, M, 4) xyxy pixels
    best: Tensor  # (B, M) which of the P answers
    iou: Tensor  # (B, M)
    roles: Roles  # over L * P


class DetectionHead(nn.Module):
    """The part after the last layer, without parameters. `side`: cells per side of the image, `px`: its pixels."""

    label_weights: Tensor  # (C,), see Detector.weigh_labels

    def __init__(self, labels: int, side: int, boxes: int, px: int, rules: DetectionRules) -> None:
        super().__init__()
        self.label_count, self.side, self.box_count, self.px, self.rules = labels, side, boxes, px, rules
        self.register_buffer("label_weights", torch.ones(labels), persistent=False)

    @property
    def need(self) -> None:
        """None: there are no anchors."""

    @property
    def outputs(self) -> int:
        """The number of outputs of the last layer."""
        return self.rows[0].count(self.label_count)

    @property
    def rows(self) -> tuple[LabelRows, ...]:
        cells = self.side**2
        return (LabelRows(cells, after=cells * self.box_count * 5),)

    def start(self, last: nn.Linear) -> None:
        """First weights of the last layer: boxes in the middle of their cells, a tenth of the image wide."""
        nn.init.normal_(last.weight, std=0.1 / math.sqrt(last.in_features))
        boxes = self.side**2 * self.box_count
        last.bias.data.zero_()
        last.bias.data[-4 * boxes :] = torch.tensor([0.5, 0.5, 0.3, 0.3]).repeat(boxes)

    def split(self, raw: Raw) -> _Outputs:
        flat, cells = raw[0].flatten(1).float(), self.side**2
        sizes = [cells * self.label_count, cells * self.box_count, cells * self.box_count * 4]
        labels, confidence, numbers = torch.split(flat, sizes, dim=1)
        numbers = numbers.view(-1, cells, self.box_count, 4)
        place = torch.arange(cells, device=flat.device)
        corner = torch.stack([place % self.side, place // self.side], dim=-1)[:, None].float()  # (L, 1, 2)
        centres, halves = (numbers[..., :2] + corner) / self.side, numbers[..., 2:].square() / 2
        return _Outputs(
            labels.view(-1, cells, self.label_count),
            confidence.view(-1, cells, self.box_count),
            numbers,
            torch.cat([centres - halves, centres + halves], dim=-1) * self.px,
        )

    def candidates(self, raw: Raw) -> Candidates:
        """Score = confidence times label. Two negative factors make no detection, although Darknet multiplies them."""
        out = self.split(raw)
        scores = out.confidence.clamp(min=0)[..., None] * out.labels.clamp(min=0)[:, :, None]  # (B, L, P, C)
        return Candidates(out.boxes.flatten(1, 2), scores.clamp(max=1).flatten(1, 2))

    def assignment(self, targets: Targets, size: tuple[int, int]) -> Assignment:
        """One row per cell that answers. Its anchor is always 0: which of the cell's boxes answers
        depends on the outputs.
        """
        cell, counted = self._cells(targets)
        image, box = counted.nonzero(as_tuple=True)
        place, zero = cell[image, box], torch.zeros_like(image)
        return Assignment(image, zero, place // self.side, place % self.side, zero, box)

    def explained(self, raw: Raw | None, targets: Targets, size: tuple[int, int]) -> Explained:
        """See Detector. Without outputs it is known which cells answer, but not which box of a cell; the first is
        shown.

        `size` must be that of the head, which takes no other.
        """
        each, grids = self.box_count, ((self.side, self.side),)
        layout = laid("cell", cells(grids, [each], (self.px, self.px)), grids, [each])
        cell, counted = self._cells(targets)
        image, box = counted.nonzero(as_tuple=True)
        roles, place = None, torch.zeros_like(cell)
        if raw is not None:
            matched = self._cell_targets(self.split(raw), targets)
            roles, place = matched.roles, matched.best
        pairs: Pairs = (image, (cell * each + place)[image, box], box)
        note = UNKNOWN if roles is None else ""
        return explain(layout, pairs, roles, targets, matching.real(targets), lambda i, m: self._why(cell[i, m]), note)

    def _why(self, cell: Tensor) -> str:
        row, column = int(cell) // self.side + 1, int(cell) % self.side + 1
        return f"another box has its cell: row {row}, column {column} of {self.side} × {self.side}"

    def _cells(self, targets: Targets) -> tuple[Tensor, Tensor]:
        """(B, M) the cell of each box's centre, and whether it learns the box: of several, the first (rule 5)."""
        centres = (targets.boxes[..., :2] + targets.boxes[..., 2:]).float() / 2 * (self.side / self.px)
        column, row = centres.floor().long().clamp(0, self.side - 1).unbind(-1)
        cell, count = row * self.side + column, self.side**2
        wanted = torch.where(matching.real(targets), cell, count)
        order = torch.arange(cell.shape[1], device=cell.device, dtype=matching.ORDER).expand_as(cell)
        table = order.new_full((len(cell), count + 1), cell.shape[1])
        first = table.scatter_reduce_(1, wanted, order, "amin").gather(1, wanted) == order
        return cell, first & (wanted < count)

    def _cell_targets(self, out: _Outputs, targets: Targets) -> _CellTargets:
        cell, counted = self._cells(targets)
        labels, confidence, numbers, boxes = (
            tensor.gather(1, cell.view(*cell.shape, *[1] * (tensor.ndim - 2)).expand(-1, -1, *tensor.shape[2:]))
            for tensor in (out.labels, out.confidence, out.numbers, out.boxes)
        )  # each (B, M, ...): what the cell of each box says
        harmless = torch.arange(4, device=cell.device).div(2, rounding_mode="floor").float()  # 0, 0, 1, 1
        truth = torch.where(counted[..., None], targets.boxes.float(), harmless)
        best, iou = self._responsible(boxes.detach(), truth)
        roles = self._roles(out, targets, cell, best, counted)
        return _CellTargets(cell, counted, labels, confidence, numbers, truth, best, iou, roles)

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        rules, out = self.rules, self.split(raw)
        matched = self._cell_targets(out, targets)
        counted = matched.counted
        weight = self.label_weights[targets.labels.clamp(min=0)]
        mine = matched.best[..., None, None].expand(-1, -1, 1, 4)
        own = matched.numbers.gather(2, mine)[:, :, 0]
        box = (own - self._encoded(matched.truth, matched.cell)).square().sum(-1)
        wanted = matched.iou if rules.rescore else torch.ones_like(matched.iou)
        confident = (matched.confidence.gather(2, matched.best[..., None])[..., 0] - wanted).square()
        there = nn.functional.one_hot(targets.labels.clamp(min=0), self.label_count).float()
        label = (matched.labels - there).square().sum(-1)
        background = torch.where(matched.roles.negative, out.confidence.flatten(1).square(), 0.0).sum()
        terms = {
            "box": rules.box_weight * torch.where(counted, box * weight, 0.0).sum(),
            "objectness": torch.where(counted, confident * weight, 0.0).sum() + rules.background_weight * background,
            "label": torch.where(counted, label * weight, 0.0).sum(),
        }
        return {name: term / 2 / len(raw[0]) for name, term in terms.items()}  # Darknet's deltas are differences

    def _responsible(self, boxes: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Rule 9: which of the cell's boxes (B, M, P, 4) answers, and its IoU with the true box: (B, M) each.

        The one with the best IoU or, where none overlaps the true box, the one whose numbers are nearest.
        """
        iou = 1 - losses.iou_loss(boxes, truth[:, :, None], "iou")  # (B, M, P)
        apart = (_centred(boxes) - _centred(truth)[:, :, None]).square().sum(-1)
        best = torch.where(iou.amax(-1) > 0, iou.argmax(-1), apart.argmin(-1))
        return best, iou.gather(2, best[..., None])[..., 0]

    def _encoded(self, truth: Tensor, cell: Tensor) -> Tensor:
        """(B, M, 4) the numbers that encode the true box: place in its cell, square roots of its sides' shares."""
        corner = torch.stack([cell % self.side, cell // self.side], dim=-1)
        centres, sides = torch.split(_centred(truth), 2, dim=-1)
        return torch.cat([centres / self.px * self.side - corner, (sides / self.px).sqrt()], dim=-1)

    def _roles(self, out: _Outputs, targets: Targets, cell: Tensor, best: Tensor, counted: Tensor) -> Roles:
        """All boxes that answer for nothing are background, including the other box of a cell with an object."""
        count = self.side**2 * self.box_count
        slots = torch.where(counted, cell * self.box_count + best, count)
        answers = torch.zeros(len(cell), count + 1, dtype=torch.bool, device=cell.device)
        answers = answers.scatter_(1, slots, True)[:, :-1]
        with torch.no_grad():
            _, share = matching.best_overlap(out.boxes.detach().flatten(1, 2), targets)
        crowd = share > matching.CROWD_SHARE
        return Roles(answers, ~answers & crowd, ~answers & ~crowd)


def _centred(boxes: Tensor) -> Tensor:
    """xyxy -> cxcywh."""
    return torch.cat([(boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]], dim=-1)
