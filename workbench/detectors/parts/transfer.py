"""Loads weights of another training into a detector: all that fit by name and shape and, of output layers, the rows of
labels that both have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.detectors.parts.darknet import SEEN
from workbench.detectors.parts.detector import Detector, LabelRows

COUNTERS = ("num_batches_tracked", SEEN)  # not weights: whether they are taken need not be reported


@dataclass(frozen=True)
class TransferResult:
    """What was taken over, counted in tensors of the detector."""

    taken: int
    total: int
    labels: tuple[str, ...]  # whose rows of the output layers were taken; all labels if whole layers were
    fresh: tuple[str, ...]  # layers (by the first parts of their names) of which nothing was taken
    unused: int  # tensors of the file
    new_labels: bool = False  # whether rows of some labels in the output layers start fresh

    @property
    def sentence(self) -> str:
        words = f"{self.taken:,} of {self.total:,} tensors were taken over"
        if self.labels:
            some = ", ".join(self.labels[:8]) + (" and more" if len(self.labels) > 8 else "")
            words += f", including what is known of {some}"
        elif self.new_labels:
            words += ", except what belongs to labels, which starts fresh"
        if self.fresh:
            more = " and more" if len(self.fresh) > 4 else ""
            words += f"; {', '.join(self.fresh[:4])}{more} start fresh"
        return words + (f"; {self.unused:,} tensors of the file were not used." if self.unused else ".")


@torch.no_grad()
def transfer(
    detector: Detector, tensors: Mapping[str, Tensor], theirs: Sequence[str] | None, ours: Sequence[str]
) -> TransferResult:
    """Fill `detector`, made for the labels `ours`, from tensors by its own names, made for the labels `theirs`.

    `theirs` None: the file does not name its labels; output layers are taken whole if they fit, else without labels.
    """
    rows, wanted = detector.label_rows(), detector.state_dict()
    pairs, counts = _pairs(theirs, ours), {name: _labels_of(name, wanted, tensors, how) for name, how in rows.items()}
    fresh: list[str] = []
    common: set[int] = set()
    by_rows = False
    for name, slot in wanted.items():
        found = tensors.get(name)
        layer = name.rpartition(".")[0]
        if found is None or found.is_floating_point() != slot.is_floating_point():
            fresh.append(name)
        elif layer in rows and (theirs is not None or found.shape != slot.shape):
            count = counts[layer]
            if count is None or (theirs is not None and count != len(theirs)):
                fresh.append(name)
                continue
            common |= _take_rows(slot, found, rows[layer], len(ours), count, pairs)
            by_rows = True
        elif found.shape == slot.shape:
            slot.copy_(found)
        else:
            fresh.append(name)
    counted = [name for name in wanted if not _is_counter(name)]
    lost = [name for name in fresh if not _is_counter(name)]
    return TransferResult(
        taken=len(counted) - len(lost),
        total=len(counted),
        labels=tuple(ours[new] for new in sorted(common)),
        fresh=tuple(dict.fromkeys(".".join(name.split(".")[:-1][:2]) for name in lost)),
        unused=sum((name not in wanted or name in lost) and not _is_counter(name) for name in tensors),
        new_labels=by_rows and len(common) < len(ours),
    )


def _is_counter(name: str) -> bool:
    return name.rpartition(".")[2] in COUNTERS


def _pairs(theirs: Sequence[str] | None, ours: Sequence[str]) -> list[tuple[int, int]]:
    """(their index, our index) of labels with the same name, ignoring case."""
    if theirs is None:
        return []
    index = {name.casefold(): i for i, name in reversed(list(enumerate(theirs)))}
    return [(index[name.casefold()], new) for new, name in enumerate(ours) if name.casefold() in index]


def _labels_of(
    layer: str, wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor], rows: LabelRows
) -> int | None:  # fmt: skip
    """The number of labels that a file's output layer was made for; None if the layer does not fit at all."""
    pairs = [(slot, tensors.get(name)) for name, slot in wanted.items() if name.rpartition(".")[0] == layer]
    counts = {
        None if found is None or found.shape[1:] != slot.shape[1:] else
        (found.shape[0] - rows.after) / rows.groups / rows.repeat - rows.before
        for slot, found in pairs
    }  # fmt: skip
    count = counts.pop()
    return None if counts or count is None or count < 1 or not count.is_integer() else int(count)


def _take_rows(
    slot: Tensor, found: Tensor, rows: LabelRows, labels: int, theirs: int, pairs: list[tuple[int, int]]
) -> set[int]:
    """Copy the rows of no label and those of the labels in `pairs`; returns our indices of these labels."""
    parts = []
    for tensor, count in ((slot, labels), (found, theirs)):
        whole = tensor[: tensor.shape[0] - rows.after] if rows.after else tensor
        parts.append(whole.view(rows.groups, rows.before + count, rows.repeat, *tensor.shape[1:]))
    mine, other = parts
    mine[:, : rows.before] = other[:, : rows.before]
    if rows.after:
        slot[-rows.after :] = found[-rows.after :]
    for old, new in pairs:
        mine[:, rows.before + new] = other[:, rows.before + old]
    return {new for _, new in pairs}
