"""One step of a training: a batch through the network, the loss, the gradients, the new weights."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from workbench.detectors.parts.blocks import settle_norms
from workbench.detectors.parts.cross_norm import cross_norms, use_cross_norms
from workbench.detectors.parts.detector import Detector, Targets
from workbench.detectors.parts.sync_norm import check_parts, use_sync_norms
from workbench.errors import WorkbenchError
from workbench.training import freezing
from workbench.training.batches.device_paint import AnyBatch
from workbench.training.batches.device_transfer import on_device, targets_on
from workbench.training.events import Message
from workbench.training.hardware import compiling, gpu, kernels, machine
from workbench.training.hardware.compiling import Compiler
from workbench.training.hardware.machine import LossScale
from workbench.training.hardware.readback import CounterBackup, StepGuard, StepQueue
from workbench.training.hardware.replicas import NetworkCounters, ReplicaPool, replica_count, split_batch
from workbench.training.hardware.runtime import Runtime
from workbench.training.optimizer import begin_momentum, make_optimizer, steer
from workbench.training.settings import TrainingSettings
from workbench.training.step_result import Diverged, QueuedStep, StepResult, make_diverged

__all__ = ["NORMS_SETTLED", "Diverged", "Stepper", "make_optimizer"]

NORMS_SETTLED = 100  # steps, see settle_norms
SUBDIVISIONS = 8  # of a batch, if they matter and the user did not choose


class Stepper:
    """Trains `detector`, which it moves to the runtime's device. Close it at the end.

    A batch goes through in parts: on the processor one for each of `threads` cores, in parallel; elsewhere in parts of
    `micro` images, one after the other, if memory is short; with several processes each takes its own. The result of a
    step does not depend on the parts, except for batch norm's statistics and rounding.

    queue() queues a step; results() gives the numbers of the steps known to be computed, on a graphics card some steps
    later (readback.py). step() waits for them.
    """

    def __init__(self, detector: Detector, settings: TrainingSettings, runtime: Runtime, threads: int = 1) -> None:
        device = runtime.device
        self.detector = detector.to(device=device, memory_format=machine.memory_format(device)).train()  # type: ignore[call-overload]
        kernels.choose_kernels(self.detector, device)
        self.settings, self.runtime, self.device = settings, runtime, device
        self.optimizer = make_optimizer(detector, settings)
        if settings.cross_norm:
            use_cross_norms(detector)
        elif settings.sync_norm and runtime.world > 1:
            use_sync_norms(detector)
            check_parts(settings.batch, runtime.world, settings.mini_batch or settings.batch)
        part = runtime.own_slice(settings.batch)
        here = part.stop - part.start
        alone = device.type != "cpu" or settings.cross_norm or runtime.world > 1
        self.replicas = ReplicaPool(detector, 1 if alone else replica_count(detector, settings.batch, threads))
        auto = -(-here // SUBDIVISIONS) if settings.cross_norm else here
        self.micro = min(settings.mini_batch or auto, -(-here // len(self.replicas)))
        self.norms_known = False  # from the run that this one goes on from: they are not reset
        self.halved = False  # because memory ran out
        self._attack = 0.0  # see _turned()
        self._scale = LossScale() if runtime.precision.name == "fp16" else None
        reader = runtime.reader()
        self.step_queue = StepQueue(reader, runtime.world > 1) if reader is not None else None
        self._counts = CounterBackup(self.detector)  # before the step, to begin it again
        self.guard = StepGuard(self._counts, self._scale, device) if reader is not None else None
        self._ready: list[StepResult] = []  # if they are read at once
        self._all = [p for p in detector.parameters() if p.requires_grad]
        self._backbone_ids = {id(p) for part in freezing.backbone(detector) for p in part.parameters()}
        self.frozen = False  # see freezing.py
        self._wrapped = runtime.wrap(_Whole(detector, runtime))
        self.compiler = Compiler(self.detector, compiling.unable(self)) if settings.compile == "auto" else None

    def step(
        self, batch: AnyBatch, learning_rate: float, number: int = NORMS_SETTLED, attack: float = 0.0, *,
        frozen: bool = False, momentum: float | None = None,
    ) -> dict[str, float]:  # fmt: skip
        """Queue a step, wait for it, and return its loss terms by name."""
        self.queue(batch, learning_rate, number, attack, frozen=frozen, momentum=momentum)
        *_, last = self.results(everything=True)
        return last.terms

    def results(self, everything: bool = False) -> Iterator[StepResult]:
        """The steps computed since the last call, as far as known, in order; `everything`: wait for all.

        Diverged if numbers are not finite: no later step has changed anything.
        """
        ready, self._ready = self._ready, []
        yield from ready
        if self.step_queue is None:
            return
        for step, values in self.step_queue.arrived(everything):
            one, scale = StepGuard.decode(step, values)
            if not one.fine and not (self._scale is not None and scale.value >= 1):
                self.step_queue.forget()
                raise make_diverged(one)
            if self._scale is not None:
                self._scale = scale
            yield one

    @property
    def over(self) -> Tensor | None:
        """If steps are read later: 1 on the device once no more steps are taken."""
        return None if self.guard is None else self.guard.over

    @property
    def scale(self) -> LossScale | None:
        """The loss scale of the last step in results(), for fp16."""
        return self._scale

    @scale.setter
    def scale(self, scale: LossScale | None) -> None:
        self._scale = scale
        if self.guard is not None and scale is not None:
            self.guard.scaled_by(scale)

    def queue(
        self, batch: AnyBatch, learning_rate: float, number: int = NORMS_SETTLED, attack: float = 0.0, *,
        frozen: bool = False, momentum: float | None = None,
    ) -> None:  # fmt: skip
        """Queue a step; Diverged, here or in results(), if a number is not finite: the network is unchanged.

        `batch`: this process's part of it. `number`: the step's, from 0. `attack`: strength of self-adversarial
        training, see _turned(). `frozen`: the backbone is frozen. `momentum`: for this step, if not the settings'.
        WorkbenchError if a single image does not fit in memory.
        """
        self._attack = attack
        if frozen != self.frozen:
            self._set_frozen(frozen)
        self.runtime.seed(self.settings.seed, number)
        if number <= NORMS_SETTLED and not self.norms_known:
            for member in self.replicas.members:
                settle_norms(member, number)
        with self._counts.kept_on_error():
            found = self._gradients(batch)
            while found is None:  # outside the except block, whose traceback would keep the tensors alive
                self.halve()
                self._counts.put_back()  # what the parts before the one that failed have counted
                self.runtime.seed(self.settings.seed, number)
                found = self._gradients(batch)
            step, total = QueuedStep(number, learning_rate, found[0]), found[1]
            read = None if self.guard is not None else self._read_now(step, total)
        if read is None:
            self._queue_later(step, total, momentum)
            return
        if read.fine:
            self._move(learning_rate, momentum)
        else:  # fp16 skips it: what it counted that is not finite would stay so
            self._counts.put_back_if(torch.zeros((), device=self.device))
        self._ready = [read]

    def _queue_later(self, step: QueuedStep, total: Tensor, momentum: float | None) -> None:
        """The device itself checks its results and decides whether to take the step."""
        assert self.guard is not None
        assert self.step_queue is not None
        norm = self._shortened(self.guard.scale)
        self.optimizer.found_inf = self.guard.judge(total, norm)  # type: ignore[attr-defined]  # see torch.amp
        self._move(step.rate, momentum)
        self.guard.end()
        self.step_queue.add(step, self.guard.row(total, norm))

    def _move(self, learning_rate: float, momentum: float | None) -> None:
        """Move the weights by their gradients."""
        steer(self.optimizer, learning_rate, momentum)
        if self.settings.optimizer == "sgd":
            begin_momentum(self.optimizer, self._parameters)
        self.optimizer.step()

    def trial_loss_terms(self, batch: AnyBatch) -> Tensor | None:
        """The loss terms of a batch, (n,), after computing its gradients too; None if memory ran out."""
        found = self._gradients(batch)
        return None if found is None else found[1]

    def try_compiling(self, batch: AnyBatch, number: int) -> list[Message]:
        """Call before a step: try whether a compiled network is faster, if that was asked for and is not known yet."""
        return [] if self.compiler is None or number <= NORMS_SETTLED else self.compiler.try_size(self, batch)

    def use_fp32(self) -> bool:
        """Go on in fp32 after Diverged, with the step that was not taken. False if that can't help."""
        if self.runtime.precision.name == "fp32":
            return False
        self.runtime.precision, self._scale, self.compiler = machine.NEEDED, None, None
        self.guard = None if self.guard is None else StepGuard(self._counts, None, self.device)
        return True

    def unused_settings(self) -> list[str]:
        """Sentences about settings that have no effect here."""
        asked, told = self.settings, []
        if asked.label_balance and not self.detector.weighs_labels:
            told.append(f"{self.detector.title} weights all labels alike, so label_balance has no effect.")
        if asked.sync_norm and self.runtime.world == 1:
            if self.micro < asked.batch:  # else they use all, as with several
                few = f"batch norms use {self.micro} images at a time."
                told.append(f"Only one process trains, so sync_norm has no effect: {few}")
        elif asked.cross_norm and not cross_norms(self.detector):
            told.append(f"{self.detector.title} has no batch norms, so cross_norm has no effect.")
        elif asked.cross_norm and self.micro >= asked.batch:
            few = "The batch goes through as one mini-batch, so cross_norm has no effect."
            told.append(f"{few} Choose a smaller mini_batch.")
        return told

    def close(self) -> None:
        self.replicas.close()

    @property
    def _parameters(self) -> list[nn.Parameter]:
        """The parameters that are trained now."""
        return [p for p in self._all if id(p) not in self._backbone_ids] if self.frozen else self._all

    def _set_frozen(self, on: bool) -> None:
        self.frozen = on
        for member in self.replicas.members:
            freezing.set_frozen(member, on, weights=self._wrapped is None)

    def _gradients(self, batch: AnyBatch) -> tuple[tuple[str, ...], Tensor] | None:
        """Compute the batch's gradients, summed over its parts, and return its loss terms, names and summed values
        (n,); None if memory ran out.
        """
        for norm in cross_norms(self.detector):
            norm.begin()
        self.optimizer.zero_grad(set_to_none=True)
        parts = split_batch(len(batch.images), self.micro)
        together = self._wrapped is not None and self.runtime.world > 1  # not in memory_probe.py's trials
        results = self._together(batch, parts) if together else self._alone(batch, parts)
        if results is None:
            return None
        total = torch.stack([torch.stack(list(terms.values())) for terms in results]).sum(dim=0)
        self.runtime.sum([total])
        return tuple(results[0]), total

    def _alone(self, batch: AnyBatch, parts: list[slice]) -> list[dict[str, Tensor]] | None:
        """For a single process: the parts go through the replicas."""
        sums: tuple[Tensor | None, ...] = (None,) * len(self._parameters)
        found = []
        try:
            shared = list(zip(parts, self._shares(batch, parts), strict=True))
            for gradients, terms in self.replicas.work(lambda member, one: self._part(member, batch, *one), shared):
                sums = tuple(map(_sum, sums, gradients))
                found.append(terms)
                del gradients  # else they take memory while the next part is computed
        except RuntimeError as error:
            if gpu.is_out_of_memory(error):
                return None
            raise
        for parameter, gradient in zip(self._parameters, sums, strict=True):
            parameter.grad = _laid_as(gradient, parameter)
        return found

    def _part(
        self, member: Detector, batch: AnyBatch, some: slice, share: Tensor
    ) -> tuple[tuple[Tensor | None, ...], dict[str, Tensor]]:
        """Gradients and loss terms of some of the batch's images, as their share of the whole batch's."""
        loss, terms = _Whole(member, self.runtime, self.compiler)(*self._inputs(member, batch, some), share)
        gradients = torch.autograd.grad(self._scaled(loss), self._parameters, allow_unused=True)
        return gradients, terms

    def _together(self, batch: AnyBatch, parts: list[slice]) -> list[dict[str, Tensor]]:
        """For one of several processes: gradients are averaged while the last part's are computed."""
        assert self._wrapped is not None
        counts, shares = NetworkCounters(self.detector), self._shares(batch, parts)
        found = []
        for number, some in enumerate(parts):
            with contextlib.nullcontext() if number == len(parts) - 1 else self._wrapped.no_sync():  # type: ignore[operator]
                inputs = self._inputs(self.detector, batch, some)
                try:
                    loss, terms = self._wrapped(*inputs, shares[number])
                    torch.autograd.backward(self._scaled(loss * self.runtime.world))
                except RuntimeError as error:  # the others wait for this one's gradients
                    if not gpu.is_out_of_memory(error):
                        raise
                    raise WorkbenchError(gpu.too_many_message(self.device, len(inputs[0])), error) from error
            found.append(terms)
        counts.add_up(self.runtime)
        for parameter in self._all if self.frozen else ():
            if id(parameter) in self._backbone_ids:  # all processes waited for its gradient
                parameter.grad = None
        return found

    def _inputs(self, member: Detector, batch: AnyBatch, some: slice) -> tuple[Tensor, Targets]:
        images, targets = on_device(batch, some, self.device)
        return (self._turned(member, images) if self._attack else images), targets

    def _shares(self, batch: AnyBatch, parts: list[slice]) -> list[Tensor]:
        """The weight of each part's mean in that of the whole batch: by images or, if the loss is divided by the
        positives of all images, by those.
        """
        counts = self._row([len(batch.images[some]) for some in parts])
        if not self.detector.shared_divisor or (len(parts) == 1 and self.runtime.world == 1):
            return list(counts / batch.whole)
        size = batch.images.shape[1], batch.images.shape[2]
        found = [self.detector.positives(targets_on(batch, some, self.device), size) for some in parts]
        counts = torch.stack(found).float()
        total = counts.sum()
        self.runtime.sum([total])
        return list(counts.clamp(min=1) / total.clamp(min=1))

    def _row(self, numbers: list[int]) -> Tensor:
        """On the device, written by it: a copy from here would have to wait."""
        return torch.stack([torch.full((), float(number), device=self.device) for number in numbers])

    def _scaled(self, loss: Tensor) -> Tensor:
        if self.guard is not None and self.guard.scale is not None:
            return loss * self.guard.scale
        return loss if self.scale is None else loss * self.scale.value

    def _turned(self, member: Detector, images: Tensor) -> Tensor:
        """The images changed so that the network finds nothing in them: self-adversarial training (YOLOv4, section
        3.3; rule 30). One step down the loss for empty images, per image; no weight or norm changes. Darknet also
        weights each prediction by the square root of its box's share of the image.
        """
        leaf, none = images.detach().requires_grad_(), images.new_zeros(len(images), 0)
        nothing = Targets(none[..., None].expand(-1, -1, 4), none.long(), none.bool())
        parts = 1 if member.shared_divisor else len(images)  # each image's own loss is divided by this
        member.eval()
        try:
            with self.runtime.autocast():
                raw = member(leaf)
            loss = sum(member.loss(raw, nothing).values(), torch.zeros((), device=self.device))
            (slope,) = torch.autograd.grad(loss * parts if self._scale is None else self._scaled(loss), leaf)
        finally:
            member.train()
            if self.frozen:
                freezing.set_frozen(member, True, weights=self._wrapped is None)
        if self._scale is not None:  # else fp16 would round small gradients to 0
            slope = slope / self._scaled(torch.ones((), device=self.device)) * parts
        return (images - self._attack * slope).clamp(0, 1)

    def halve(self) -> None:
        """Halve the images per part. WorkbenchError if it is already a single one."""
        if self.micro == 1:
            raise WorkbenchError(gpu.too_many_message(self.device, 1))
        self.micro, self.halved = -(-self.micro // 2), True
        self.optimizer.zero_grad(set_to_none=True)
        gpu.empty_cache(self.device)

    def _shortened(self, scale: Tensor | float | None) -> Tensor:
        """Remove the loss scale from the gradients, clip them, and return their norm before clipping."""
        if scale is not None:
            torch._foreach_div_([p.grad for p in self._parameters if p.grad is not None], scale)
        return nn.utils.clip_grad_norm_(self._parameters, self.settings.clip_gradient or math.inf)

    def _read_now(self, step: QueuedStep, total: Tensor) -> StepResult:
        """The step's numbers, before it is taken. Diverged if neither it nor a later one can be taken."""
        terms = dict(zip(step.names, total.tolist(), strict=True))
        read = StepResult(step, terms, float(self._shortened(None if self.scale is None else self.scale.value)))
        may_fail = self.scale is not None and self.scale.follow(read.fine)
        if not read.fine and not may_fail:
            raise make_diverged(read)
        return read


class _Whole(nn.Module):
    """Network and loss in one module: DistributedDataParallel needs every use of a weight within one forward."""

    def __init__(self, detector: Detector, runtime: Runtime, compiler: Compiler | None = None) -> None:
        super().__init__()
        self.detector, self.runtime = detector, runtime
        self.compiler = compiler

    def forward(self, images: Tensor, targets: Targets, share: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss and its terms, both times `share`."""
        try:
            with self.runtime.autocast():
                raw = self.detector(images) if self.compiler is None else self.compiler.call(images)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            sentence = "Batch norm needs more than one image at a time here. Choose a larger batch or input side."
            raise WorkbenchError(sentence, error) from error
        terms = {name: term * share for name, term in self.detector.loss(raw, targets).items()}
        loss = sum(terms.values(), torch.zeros((), device=images.device))
        if self.runtime.world > 1:  # the others wait for the gradients of weights that this part does not use
            loss = loss + 0 * sum(p.sum() for p in self.parameters() if p.requires_grad)
        return loss, {name: term.detach() for name, term in terms.items()}


def _sum(sum_: Tensor | None, gradient: Tensor | None) -> Tensor | None:
    """Summed in the order of the parts, to be deterministic; None for a weight that the loss does not use."""
    if sum_ is None or gradient is None:
        return gradient if sum_ is None else sum_
    return sum_.add_(gradient)


def _laid_as(gradient: Tensor | None, parameter: Tensor) -> Tensor | None:
    """The gradient in the parameter's memory layout: on CUDA the fused optimisers accept no other."""
    if gradient is None or gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)
