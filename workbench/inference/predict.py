"""Runs a trained detector on pictures and gives candidates in the pixels of each picture.

B = images at a time, k = pairs kept of an image, S = side of the network input.
"""

from __future__ import annotations

import copy
import platform
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from workbench.core import boxes as geometry
from workbench.core.detections import FLOOR, MOST, Candidates
from workbench.core.files import stamp
from workbench.core.former_names import FormerNames, network_names
from workbench.core.resize import Fit, FitMode, fit
from workbench.core.tiling import Tiling, candidates_in_tiles
from workbench.detectors.parts.blocks import ConvUnit
from workbench.detectors.parts.detector import Detector
from workbench.errors import WorkbenchError
from workbench.training.checkpoints.header import trained_labels
from workbench.training.hardware import gpu, machine

if TYPE_CHECKING:
    from workbench.training.checkpoints.checkpoint import CheckpointHeader

Precision = Literal["exact", "fast"]
BATCH = {"cpu": 8, "cuda": 32, "mps": 16}
PATIENCE = 2.0
"""Seconds to wait for Apple's GPU: other predictors have it for less, a training for hours."""


class Predictor:
    """A detector ready to run, with one main method, `candidates(images)`. Not to be shared between threads.

    `detector` stays with its owner; a copy with folded batch norms in the device's memory format is run. `precision`
    "exact" is float32; "fast" is bfloat16 where the hardware computes with it (the network's outputs are up to 0.6 % of
    their range off, confidences up to 0.13 in 13 photographs of blood cells), elsewhere it is "exact". Numbers that are
    reported come from "exact". With `cpu_fallback` the processor computes where the memory of the device does not
    suffice: for the window, where nobody can choose another device, and where a training may hold all of a small
    card's. It also computes while a training of this process has Apple's GPU, which only one thread may use.
    """

    def __init__(
        self,
        detector: Detector,
        labels: Sequence[str],
        input_px: int,
        resize: FitMode,
        *,
        device: str = "auto",
        precision: Precision = "exact",
        header: CheckpointHeader | None = None,
        checkpoint: Path | None = None,
        cpu_fallback: bool = False,
    ) -> None:
        self.detector = detector
        self.labels = tuple(labels)
        self.input_px = input_px
        self.resize: FitMode = resize
        self.header = header
        self.window = header.window if header else None  # how to read files with more than 8 bits
        self.tiling: Tiling | None = header.tiling if header else None  # may be changed at any time
        self.checkpoint = checkpoint
        self._asked, self._cpu_fallback = precision, cpu_fallback
        self._read_at: object = None  # the stamp of the checkpoint's file when it was read, if it was
        try:
            self._begin(device)
        except WorkbenchError as error:
            if not (cpu_fallback and error.__cause__ is not None and gpu.is_out_of_memory(error.__cause__)):
                raise
            self._begin("cpu")

    def _begin(self, device: str) -> None:
        """Run there. WorkbenchError if it is not there or its memory does not suffice."""
        self.device = machine.choose_device(device, PATIENCE)
        with gpu.alone_on(self.device, PATIENCE) as is_mine:
            if not is_mine:
                self.device = torch.device("cpu")
            self._move_there()

    def _move_there(self) -> None:
        self.precision: Precision = "fast" if self._asked == "fast" and has_fast_bfloat16(self.device) else "exact"
        self.batch = BATCH.get(self.device.type, 8)
        try:
            order = machine.memory_format(self.device)
            self.running = fold_batch_norms(self.detector, self.device).to(memory_format=order)
            if self.precision == "fast":
                _cast_weights(self.running)
        except RuntimeError as error:
            if gpu.is_out_of_memory(error):
                raise WorkbenchError(gpu.memory_full_message(self.device), error) from error
            raise

    @classmethod
    def open(
        cls, checkpoint: Path, device: str = "auto", precision: Precision = "exact", *, cpu_fallback: bool = False
    ) -> Predictor:
        """The detector saved in `checkpoint`. WorkbenchError if the file is not one or the device is not there."""
        from workbench.training.checkpoints.checkpoint import load_detector

        if not cpu_fallback:
            machine.choose_device(device)  # refused before the file is read
        read_at = _stamp(checkpoint)
        detector, header = load_detector(checkpoint)  # the copy that runs takes memory there, and nothing else
        names = [label.name for label in header.labels]
        opened = cls(
            detector, names, header.input_px, cast(FitMode, header.resize),
            device=device, precision=precision, header=header, checkpoint=Path(checkpoint), cpu_fallback=cpu_fallback,
        )  # fmt: skip
        opened._read_at = read_at
        return opened

    @property
    def is_current(self) -> bool:
        """Whether the checkpoint's file is still the one that was read: a training that goes on replaces it."""
        return self.checkpoint is None or self._read_at in (None, _stamp(self.checkpoint))

    def rename_labels(self, former: FormerNames) -> None:
        """Use the current names of labels that were renamed since the training, also in everything written."""
        called = network_names(self.labels, () if self.header is None else trained_labels(self.header), former)
        if called != self.labels and self.header is not None:
            labels = tuple(replace(x, name=name) for x, name in zip(self.header.labels, called, strict=True))
            self.header = replace(self.header, labels=labels)
        self.labels = called

    def candidates(self, images: Sequence[NDArray[np.uint8]]) -> list[Candidates]:
        """For each upright (H, W, 3) uint8 RGB image its candidates with scores of at least FLOOR.

        Images larger than a tile of `tiling`, by default that of the training, are also seen in tiles. As many as
        Candidates.of_arrays keeps of each view. Boxes are pixels of that image, clipped to it. Any number of images;
        `batch` views run at a time, fewer if the device's memory is too small.
        """
        return candidates_in_tiles(self.candidates_of_views, images, self.tiling)

    def candidates_of_views(self, images: Sequence[NDArray[np.uint8]]) -> list[Candidates]:
        """The same without tiles: each picture is given to the network as it is."""
        result: list[Candidates] = []
        while len(result) < len(images):
            some = images[len(result) : len(result) + self.batch]
            try:
                result.extend(self._run(some))
            except RuntimeError as error:
                if not gpu.is_out_of_memory(error):
                    raise
                if self.batch == 1 and not (self._cpu_fallback and self.device.type != "cpu"):
                    raise WorkbenchError(
                        f"There is not enough memory on {self.device} for a single image of {self.input_px} px."
                        " Predict on the CPU or with a smaller detector.",
                        error,
                    ) from error
            else:
                continue
            if self.batch > 1:  # outside the except block, whose traceback would keep the tensors alive
                self.batch //= 2
            else:
                self._begin("cpu")
        return result

    def _run(self, images: Sequence[NDArray[np.uint8]]) -> list[Candidates]:
        fitted = [fit(image, self.input_px, self.resize) for image in images]
        rows = zip(*self.best(np.stack([square for square, _ in fitted])), strict=True)
        return [_of_image(*row, way, image.shape) for row, (_, way), image in zip(rows, fitted, images, strict=True)]

    def best(self, squares: NDArray[np.uint8 | np.float32]) -> tuple[Tensor, Tensor, Tensor]:
        """(B, S, S, 3) in 0..255 -> the best (box, label) pairs, as float32 on the CPU.

        boxes (B, k, 4) in network pixels, scores (B, k), labels (B, k).
        """
        with gpu.alone_on(self.device, PATIENCE) as is_mine:
            if is_mine:
                return self._best(squares)
        self._begin("cpu")
        return self._best(squares)

    def _best(self, squares: NDArray[np.uint8 | np.float32]) -> tuple[Tensor, Tensor, Tensor]:
        batch = torch.from_numpy(squares).to(self.device).permute(0, 3, 1, 2).float()  # (B, 3, S, S)
        batch = batch.contiguous(memory_format=machine.memory_format(self.device))
        with torch.inference_mode(), self._arithmetic():
            boxes, scores, labels = self.running.candidates(self.running(batch / 255)).best(MOST)
            return boxes.float().cpu(), scores.float().cpu(), labels.cpu()

    def _arithmetic(self) -> AbstractContextManager[object]:
        if self.precision == "fast":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return gpu.exact_float32()


def _stamp(file: Path) -> object:
    """What differs once the file was written; None if it is not there."""
    try:
        return stamp(file)
    except OSError:
        return None


def _of_image(
    boxes: Tensor, scores: Tensor, labels: Tensor, fitted: Fit, shape: tuple[int, ...]
) -> Candidates:  # fmt: skip
    """Those of one image's best pairs that lie in the picture: boxes (k, 4), scores and labels (k,)."""
    original = geometry.clip(fitted.back(boxes.numpy()), shape[1], shape[0])
    real = geometry.areas(original) > 0  # boxes outside the picture are dropped
    return Candidates.of_arrays(original[real], scores.numpy()[real], labels.numpy()[real], floor=FLOOR)


def fold_batch_norms(detector: Detector, device: torch.device) -> Detector:
    """A copy in evaluation mode whose batch norms are folded into the convolutions before them."""
    running = copy.deepcopy(detector).eval().to(device)
    for unit in [module for module in running.modules() if isinstance(module, ConvUnit)]:
        if isinstance(unit.norm, nn.BatchNorm2d):
            unit.conv = fuse_conv_bn_eval(unit.conv, unit.norm)
            unit.norm = nn.Identity()  # type: ignore[assignment]
    return running.requires_grad_(False)


def _cast_weights(running: Detector) -> None:
    """To what autocast would cast them to at each look, which took half of YOLOv1's time and a twentieth of others'."""
    for layer in running.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.to(torch.bfloat16)


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32: on CPUs with the instructions for it, on CUDA since Ampere."""
    if device.type == "cuda":
        return machine.half_dtype(device) == "bf16"
    if device.type != "cpu" or platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    # private names, so their absence must not matter
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(bool(check()) for check in checks if check is not None)
