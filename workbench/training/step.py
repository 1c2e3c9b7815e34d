"""One step of a training: a batch through the network, the loss, the gradients, the new weights."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from workbench.detectors.parts.blocks import settle_norms
from workbench.detectors.parts.cross_norm import cross_norms, use_cross_norms
from workbench.detectors.parts.detector import Detector, Targets
from workbench.detectors.parts.sync_norm import use_sync_norms
from workbench.errors import WorkbenchError
from workbench.training import freezing
from workbench.training.augment import Batch
from workbench.training.crew import Counts, Crew, size_for
from workbench.training.machine import LossScale
from workbench.training.runtime import Runtime
from workbench.training.settings import TrainingSettings

NORMS_SETTLED = 100  # steps, see settle_norms
SUBDIVISIONS = 8  # of a batch, where they matter and nobody chose
WIDE = 256  # inputs of a matrix, see make_optimizer
SHARE = "share"  # of the learning rate, that a group of weights gets


class Diverged(WorkbenchError):
    """The loss or a gradient is not a finite number any more; the weights are still those of the step before."""


class Stepper:
    """Trains `detector`, moved to the runtime's device. Close it at the end.

    A batch goes through in parts: on the processor one for each of `threads` cores, at the same time; elsewhere in
    parts of `micro` images, one after the other, where memory is short; of several processes each takes its own. The
    result of a step does not depend on the parts, but for batch norm's statistics and rounding.
    """

    def __init__(self, detector: Detector, settings: TrainingSettings, runtime: Runtime, threads: int = 1) -> None:
        device = runtime.device
        self.detector = detector.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.settings, self.runtime, self.device = settings, runtime, device
        self.optimizer = make_optimizer(detector, settings)
        if settings.cross_norm:
            use_cross_norms(detector)
        elif settings.sync_norm and runtime.world > 1:
            use_sync_norms(detector)
        part = runtime.part(settings.batch)
        here = part.stop - part.start
        alone = device.type != "cpu" or settings.cross_norm or runtime.world > 1
        self.crew = Crew(detector, 1 if alone else size_for(detector, settings.batch, threads))
        auto = -(-here // SUBDIVISIONS) if settings.cross_norm else here
        self.micro = min(settings.mini_batch or auto, -(-here // len(self.crew)))
        self.halved = False  # because memory ran out
        self._attack = 0.0  # see _turned()
        self.scale = LossScale() if runtime.precision.name == "fp16" else None
        self.gradient_norm = math.nan  # of the last step, before it was clipped
        self._all = [p for p in detector.parameters() if p.requires_grad]
        self._at_rest = {id(p) for part in freezing.backbone(detector) for p in part.parameters()}
        self.resting = False  # see freezing.py
        self._wrapped = runtime.wrap(_Whole(detector, runtime))

    def step(
        self, batch: Batch, learning_rate: float, number: int = NORMS_SETTLED, attack: float = 0.0, *,
        rests: bool = False, momentum: float | None = None,
    ) -> dict[str, float]:  # fmt: skip
        """Loss terms by name, averaged over images. Diverged if not finite; the weights are then unchanged.

        `batch`: this process's part of it. `number`: of the step, from 0. `attack`: how strongly the images are first
        turned against the network, see _turned(). `rests`: the backbone learns nothing. `momentum`: of this step, if
        it is not the settings'. WorkbenchError if a single image does not fit into memory.
        """
        self._attack = attack
        if rests != self.resting:
            self._let_rest(rests)
        self.runtime.seed(self.settings.seed, number)
        if number <= NORMS_SETTLED:
            for member in self.crew.members:
                settle_norms(member, number)
        terms = self._gradients(batch)
        while terms is None:  # outside the except block, whose traceback would keep the tensors alive
            self.halve()
            terms = self._gradients(batch)
        if not self._check(terms):
            return terms
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * group.get(SHARE, 1.0)
            if momentum is not None:
                group |= {"betas": (momentum, 0.999)} if "betas" in group else {"momentum": momentum}
        if self.settings.freeze and self.settings.optimizer == "sgd":
            self._begin_momentum()
        self.optimizer.step()
        return terms

    def try_out(self, batch: Batch) -> bool:
        """Compute the gradients of a batch for nothing; False if memory ran out."""
        return self._gradients(batch) is not None

    def idle(self) -> list[str]:
        """What was asked for and can't do anything here, in sentences."""
        if self.settings.sync_norm and self.runtime.world == 1:
            return ["One process trains, so sync_norm does nothing."]
        if not self.settings.cross_norm:
            return []
        if not cross_norms(self.detector):
            return [f"{self.detector.title} has no batch norms, so cross_norm does nothing."]
        if self.micro >= self.settings.batch:
            return [
                "The batch goes through as one mini-batch, so cross_norm does nothing. Choose a smaller mini_batch."
            ]
        return []

    def close(self) -> None:
        self.crew.close()

    @property
    def _parameters(self) -> list[nn.Parameter]:
        """Those that learn now."""
        return [p for p in self._all if id(p) not in self._at_rest] if self.resting else self._all

    def _begin_momentum(self) -> None:
        """torch's fused SGD wants either all weights to have moved before, or none; a zero is where each begins."""
        for parameter in self._parameters:
            if parameter.grad is not None and self.optimizer.state[parameter].get("momentum_buffer") is None:
                self.optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    def _let_rest(self, on: bool) -> None:
        self.resting = on
        for member in self.crew.members:
            freezing.rest(member, on, weights=self._wrapped is None)

    def _gradients(self, batch: Batch) -> dict[str, float] | None:
        """The gradients of the batch, summed over its parts; None when memory ran out."""
        for norm in cross_norms(self.detector):
            norm.begin()
        self.optimizer.zero_grad(set_to_none=True)
        parts = [slice(start, start + self.micro) for start in range(0, len(batch.images), self.micro)]
        results = self._alone(batch, parts) if self._wrapped is None else self._together(batch, parts)
        if results is None:
            return None
        names = list(results[0])
        total = torch.stack([torch.stack(list(terms.values())) for terms in results]).sum(dim=0)
        self.runtime.sum([total])
        return dict(zip(names, total.tolist(), strict=True))  # one wait for the device

    def _alone(self, batch: Batch, parts: list[slice]) -> list[dict[str, Tensor]] | None:
        """This process is the only one: the parts go through the crew."""
        try:
            shares = self._shares(batch, parts)
            shared = list(zip(parts, shares, strict=True))
            results = self.crew.work(lambda member, one: self._part(member, batch, *one), shared)
        except torch.OutOfMemoryError:
            return None
        for parameter, gradients in zip(self._parameters, zip(*(one for one, _ in results), strict=True), strict=True):
            parameter.grad = _laid_as(_sum(gradients), parameter)
        return [terms for _, terms in results]

    def _part(
        self, member: Detector, batch: Batch, some: slice, share: Tensor
    ) -> tuple[tuple[Tensor | None, ...], dict[str, Tensor]]:
        """Gradients and loss terms of some of the batch's images, as shares of the whole batch's."""
        loss, terms = _Whole(member, self.runtime)(*self._inputs(member, batch, some), share)
        gradients = torch.autograd.grad(self._scaled(loss), self._parameters, allow_unused=True)
        return gradients, terms

    def _together(self, batch: Batch, parts: list[slice]) -> list[dict[str, Tensor]]:
        """One of several processes: their gradients are averaged as the last part's come."""
        assert self._wrapped is not None
        counts, shares = Counts(self.detector), self._shares(batch, parts)
        found = []
        for number, some in enumerate(parts):
            with contextlib.nullcontext() if number == len(parts) - 1 else self._wrapped.no_sync():  # type: ignore[operator]
                inputs = self._inputs(self.detector, batch, some)
                try:
                    loss, terms = self._wrapped(*inputs, shares[number])
                    torch.autograd.backward(self._scaled(loss * self.runtime.world))
                except torch.OutOfMemoryError as error:  # the others wait for this one's gradients
                    sentence = f"The memory of {self.device} does not hold {len(inputs[0])} images."
                    raise WorkbenchError(f"{sentence} Resume with mini_batch {self.micro // 2}.", error) from error
            found.append(terms)
        counts.add_up(self.runtime)
        for parameter in self._all if self.resting else ():
            if id(parameter) in self._at_rest:  # its gradient was waited for by all
                parameter.grad = None
        return found

    def _inputs(self, member: Detector, batch: Batch, some: slice) -> tuple[Tensor, Targets]:
        images, targets = on_device(batch, some, self.device)
        return (self._turned(member, images) if self._attack else images), targets

    def _shares(self, batch: Batch, parts: list[slice]) -> list[Tensor]:
        """How much each part's mean counts in that of the whole batch: by its images or, where the loss is divided by
        the positives of all images, by those.
        """
        counts = torch.tensor([float(len(batch.images[some])) for some in parts], device=self.device)
        if not self.detector.shared_divisor or (len(parts) == 1 and self.runtime.world == 1):
            return list(counts / batch.whole)
        size = batch.images.shape[1], batch.images.shape[2]
        found = [self.detector.assignment(_targets(batch, some, self.device), size) for some in parts]
        counts = torch.tensor([float(len(one.image)) for one in found], device=self.device)
        total = counts.sum()
        self.runtime.sum([total])
        return list(counts.clamp(min=1) / total.clamp(min=1))

    def _scaled(self, loss: Tensor) -> Tensor:
        return loss if self.scale is None else loss * self.scale.value

    def _turned(self, member: Detector, images: Tensor) -> Tensor:
        """The images changed so that the network finds nothing in them: self-adversarial training (YOLOv4, section
        3.3; rule 30). One step down the slope of the loss for empty images, per image; no weight or norm changes.
        """
        leaf, count = images.detach().requires_grad_(), len(images)
        nothing = Targets(
            images.new_zeros(count, 0, 4), images.new_zeros(count, 0).long(), images.new_zeros(count, 0).bool()
        )
        member.eval()
        try:
            with self.runtime.autocast():
                raw = member(leaf)
            loss = sum(member.loss(raw, nothing).values(), torch.zeros((), device=self.device)) * count
            (slope,) = torch.autograd.grad(loss, leaf)
        finally:
            member.train()
            if self.resting:
                freezing.rest(member, True, weights=self._wrapped is None)
        return (images - self._attack * slope).clamp(0, 1)

    def halve(self) -> None:
        """Fewer images at once. WorkbenchError if it is a single one already."""
        if self.micro == 1:
            raise WorkbenchError(
                f"The memory of {self.device} does not hold the training of a single image."
                " Choose a smaller input side, a smaller width or another detector."
            )
        self.micro, self.halved = -(-self.micro // 2), True
        self.optimizer.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _check(self, terms: dict[str, float]) -> bool:
        """Whether the step may be taken. Diverged if it never can be again."""
        if self.scale is not None:
            torch._foreach_div_([p.grad for p in self._parameters if p.grad is not None], self.scale.value)
        longest = self.settings.clip_gradient or math.inf
        self.gradient_norm = float(nn.utils.clip_grad_norm_(self._parameters, longest))
        odd = [name for name, value in terms.items() if not math.isfinite(value)]
        fine = not odd and math.isfinite(self.gradient_norm)
        if self.scale is not None and self.scale.follow(fine):
            return fine
        if odd:
            raise Diverged(
                f"The loss is not a number any more (term '{odd[0]}'). The last good checkpoint is kept."
                " Lower the learning rate, or make the warm-up longer."
            )
        if not fine:
            raise Diverged(
                "The gradient is not a number any more. The last good checkpoint is kept."
                " Lower the learning rate, or set clip_gradient to 10."
            )
        return True


class _Whole(nn.Module):
    """Network and loss as one: under DistributedDataParallel every use of a weight must lie within one forward."""

    def __init__(self, detector: Detector, runtime: Runtime) -> None:
        super().__init__()
        self.detector, self.runtime = detector, runtime

    def forward(self, images: Tensor, targets: Targets, share: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss times `share`, and its terms likewise."""
        try:
            with self.runtime.autocast():
                raw = self.detector(images)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            sentence = "Batch norm needs more than one image at a time here. Choose a larger batch or input side."
            raise WorkbenchError(sentence, error) from error
        terms = {name: term * share for name, term in self.detector.loss(raw, targets).items()}
        loss = sum(terms.values(), torch.zeros((), device=images.device))
        if self.runtime.world > 1:  # the others wait for the gradients of weights that this part does not reach
            loss = loss + 0 * sum(p.sum() for p in self.parameters() if p.requires_grad)
        return loss, {name: term.detach() for name, term in terms.items()}


def _sum(gradients: Sequence[Tensor | None]) -> Tensor | None:
    """In their order, so that the sum is the same each time; None for a weight that the loss does not see."""
    there = [gradient for gradient in gradients if gradient is not None]
    return functools.reduce(Tensor.add_, there) if there else None


def _laid_as(gradient: Tensor | None, parameter: Tensor) -> Tensor | None:
    """The gradient in the parameter's order in memory: on CUDA the fused optimisers take no other."""
    if gradient is None or gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def on_device(batch: Batch, some: slice, device: torch.device) -> tuple[Tensor, Targets]:
    """Images as (B, 3, H, W) float 0..1 in channels-last order, and their targets."""
    images = torch.from_numpy(batch.images[some]).to(device, non_blocking=True)
    return images.permute(0, 3, 1, 2).float() / 255, _targets(batch, some, device)


def _targets(batch: Batch, some: slice, device: torch.device) -> Targets:
    boxes, labels, ignore = (torch.from_numpy(array[some]) for array in (batch.boxes, batch.labels, batch.ignore))
    pictures = None if batch.pictures is None else torch.from_numpy(batch.pictures[some])
    return Targets(boxes, labels, ignore, pictures).to(device)


def make_optimizer(detector: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Weight decay pulls only at the weights of convolutions and matrices, as in Darknet.

    AdamW moves every weight equally far, so an output moves with the number of its inputs: matrices of more than WIDE
    inputs get a share of the learning rate, as in Yang et al. 2022, arXiv 2203.03466, table 3. YOLOv1-tiny
    on bccd after 14 epochs: box loss 8.6 with WIDE = 1024, 6.7 with 256, 6.5 with 64; AP50 0.08, 0.20, 0.09.
    """
    decayed, free = _groups([p for p in detector.parameters() if p.requires_grad])
    matrices = [layer.weight for layer in detector.modules() if isinstance(layer, nn.Linear)]
    wide = {p for p in matrices if p.shape[1] > WIDE} if settings.optimizer == "adamw" else set()
    shares = {p: WIDE / p.shape[1] if p in wide else 1.0 for p in decayed}
    groups: list[dict[str, Any]] = [
        {"params": [p for p in decayed if shares[p] == share], "weight_decay": settings.weight_decay, SHARE: share}
        for share in sorted({1.0, *shares.values()}, reverse=True)
    ]
    groups.insert(1, {"params": free, "weight_decay": 0.0, SHARE: 1.0})
    groups = [group for group in groups if group["params"]]
    fused = decayed[0].device.type in ("cpu", "cuda") if decayed else None
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(settings.momentum, 0.999), fused=fused)
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, fused=fused)


def _groups(parameters: Sequence[nn.Parameter]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    return [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
