"""Puts weights of another training into a detector: all that fit by name and shape, and of output layers the rows of
the labels that both know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.detectors.parts.detector import Detector, LabelRows

COUNTERS = ("num_batches_tracked", "seen")  # no weights: whether they go over is not worth a word


@dataclass(frozen=True)
class Transferred:
    """What went over. Counted in tensors of the detector."""

    taken: int
    total: int
    labels: tuple[str, ...]  # whose rows of the output layers were taken; all of them if these went over whole
    fresh: tuple[str, ...]  # layers (by their first name parts) of which nothing was taken
    unused: int  # tensors of the file
    new_labels: bool = False  # whether rows of some labels in the output layers start fresh

    @property
    def sentence(self) -> str:
        words = f"{self.taken:,} of {self.total:,} tensors were taken over"
        if self.labels:
            some = ", ".join(self.labels[:8]) + (" and more" if len(self.labels) > 8 else "")
            words += f", with what is known of {some}"
        elif self.new_labels:
            words += ", but for what belongs to labels, which starts fresh"
        if self.fresh:
            more = " and more" if len(self.fresh) > 4 else ""
            words += f"; {', '.join(self.fresh[:4])}{more} start fresh"
        return words + (f"; {self.unused:,} tensors of the file have no place." if self.unused else ".")


@torch.no_grad()
def transfer(
    detector: Detector, tensors: Mapping[str, Tensor], theirs: Sequence[str] | None, ours: Sequence[str]
) -> Transferred:
    """Fill `detector`, made for the labels `ours`, from tensors by its own names, made for the labels `theirs`.

    `theirs` None: the file does not name its labels; output layers are taken whole if they fit, else without labels.
    """
    rows, wanted = detector.label_rows(), detector.state_dict()
    pairs = _pairs(theirs, ours)
    fresh: list[str] = []
    common: set[int] = set()
    by_rows = False
    for name, slot in wanted.items():
        found = tensors.get(name)
        layer = name.rpartition(".")[0]
        if found is None or found.is_floating_point() != slot.is_floating_point():
            fresh.append(name)
        elif layer in rows and (theirs is not None or found.shape != slot.shape):
            common |= _take_rows(slot, found, rows[layer], len(ours), pairs)
            by_rows = True
        elif found.shape == slot.shape:
            slot.copy_(found)
        else:
            fresh.append(name)
    counted = [name for name in wanted if not _is_counter(name)]
    lost = [name for name in fresh if not _is_counter(name)]
    return Transferred(
        taken=len(counted) - len(lost),
        total=len(counted),
        labels=tuple(ours[new] for new in sorted(common)),
        fresh=tuple(dict.fromkeys(".".join(name.split(".")[:2]) for name in lost)),
        unused=sum((name not in wanted or name in lost) and not _is_counter(name) for name in tensors),
        new_labels=by_rows and len(common) < len(ours),
    )


def _is_counter(name: str) -> bool:
    return name.rpartition(".")[2] in COUNTERS


def _pairs(theirs: Sequence[str] | None, ours: Sequence[str]) -> list[tuple[int, int]]:
    """(their index, our index) of the labels of the same name, in capitals or not."""
    if theirs is None:
        return []
    index = {name.casefold(): i for i, name in reversed(list(enumerate(theirs)))}
    return [(index[name.casefold()], new) for new, name in enumerate(ours) if name.casefold() in index]


def _take_rows(slot: Tensor, found: Tensor, rows: LabelRows, labels: int, pairs: list[tuple[int, int]]) -> set[int]:
    """Copy what belongs to no label and to the labels in `pairs`; returns our indices of those."""
    if found.shape[1:] != slot.shape[1:]:
        return set()
    inner = found.shape[0] - rows.after
    each = inner / rows.groups / rows.repeat - rows.before
    if each < 1 or not each.is_integer():
        return set()
    parts = []
    for tensor, count in ((slot, labels), (found, int(each))):
        whole = tensor[: tensor.shape[0] - rows.after] if rows.after else tensor
        parts.append(whole.view(rows.groups, rows.before + count, rows.repeat, *tensor.shape[1:]))
    mine, other = parts
    mine[:, : rows.before] = other[:, : rows.before]
    if rows.after:
        slot[-rows.after :] = found[-rows.after :]
    pairs = [(old, new) for old, new in pairs if old < int(each)]
    for old, new in pairs:
        mine[:, rows.before + new] = other[:, rows.before + old]
    return {new for _, new in pairs}
