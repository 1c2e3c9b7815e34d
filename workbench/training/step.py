"""One step of a training: a batch through the network, the loss, the gradients, the new weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workbench.detectors.parts.detector import Detector, Targets
from workbench.errors import WorkbenchError
from workbench.training.augment import Batch
from workbench.training.machine import Precision
from workbench.training.settings import TrainingSettings


class Diverged(WorkbenchError):
    """The loss or a gradient is not a finite number any more; the weights are still those of the step before."""


class Stepper:
    """Trains `detector`, moved to `device`. Batches go through in parts of `micro` images where memory is short.

    The result of a step does not depend on the parts, but for batch norm's statistics and rounding.
    """

    def __init__(
        self, detector: Detector, settings: TrainingSettings, device: torch.device, precision: Precision
    ) -> None:
        self.detector = detector.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.settings, self.device, self.precision = settings, device, precision
        self.optimizer = make_optimizer(detector, settings)
        self.micro = settings.batch
        self._parameters = [p for p in detector.parameters() if p.requires_grad]

    def step(self, batch: Batch, learning_rate: float) -> dict[str, float]:
        """Loss terms by name, averaged over images. Diverged if not finite; the weights are then unchanged.

        WorkbenchError if a single image does not fit into memory.
        """
        terms = self._gradients(batch)
        while terms is None:  # outside the except block, whose traceback would keep the tensors alive
            self._halve()
            terms = self._gradients(batch)
        self._check(terms)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        return terms

    def _gradients(self, batch: Batch) -> dict[str, float] | None:
        """The gradients of the batch, summed over its parts; None when memory ran out."""
        self.optimizer.zero_grad(set_to_none=False)
        sums: dict[str, Tensor] = {}
        try:
            for start in range(0, len(batch.images), self.micro):
                some = slice(start, start + self.micro)
                share = len(batch.images[some]) / len(batch.images)
                for name, term in self._part(batch, some, share).items():
                    sums[name] = sums[name] + term * share if name in sums else term * share
        except torch.OutOfMemoryError:
            return None
        values = torch.stack(list(sums.values())).tolist()  # one wait for the device
        return dict(zip(sums, values, strict=True))

    def _part(self, batch: Batch, some: slice, share: float) -> dict[str, Tensor]:
        images, targets = on_device(batch, some, self.device)
        with self.precision.autocast(self.device):
            raw = self.detector(images)
        terms = self.detector.loss(raw, targets)
        (sum(terms.values(), torch.zeros((), device=self.device)) * share).backward()
        return {name: term.detach() for name, term in terms.items()}

    def _halve(self) -> None:
        if self.micro == 1:
            raise WorkbenchError(
                f"The memory of {self.device} does not hold the training of a single image."
                " Choose a smaller input side, a smaller width or another detector."
            )
        self.micro = -(-self.micro // 2)
        self.optimizer.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _check(self, terms: dict[str, float]) -> None:
        odd = [name for name, value in terms.items() if not math.isfinite(value)]
        if odd:
            raise Diverged(
                f"The loss is not a number any more (term '{odd[0]}'). The last good checkpoint is kept."
                " Lower the learning rate, or make the warm-up longer."
            )
        longest = self.settings.clip_gradient or math.inf
        if not math.isfinite(float(nn.utils.clip_grad_norm_(self._parameters, longest))):
            raise Diverged(
                "The gradient is not a number any more. The last good checkpoint is kept."
                " Lower the learning rate, or set clip_gradient to 10."
            )


def on_device(batch: Batch, some: slice, device: torch.device) -> tuple[Tensor, Targets]:
    """Images as (B, 3, H, W) float 0..1 in channels-last order, and their targets."""
    images = torch.from_numpy(batch.images[some]).to(device, non_blocking=True)
    arrays = (torch.from_numpy(array[some]) for array in (batch.boxes, batch.labels, batch.ignore))
    return images.permute(0, 3, 1, 2).float() / 255, Targets(*arrays).to(device)


def make_optimizer(detector: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Weight decay pulls only at the weights of convolutions and matrices, as in Darknet."""
    decayed, free = _groups([p for p in detector.parameters() if p.requires_grad])
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    fused = decayed[0].device.type in ("cpu", "cuda") if decayed else None
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(settings.momentum, 0.999), fused=fused)
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, fused=fused)


def _groups(parameters: Sequence[nn.Parameter]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    return [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
