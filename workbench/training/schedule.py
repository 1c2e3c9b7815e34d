"""The schedule of a run: learning rate, input side and epoch of every step, as functions of its number.

Nothing here has state, so a resumed run continues exactly where it was.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np

from workbench.core.formatting import count, count_views
from workbench.training.settings import TrainingSettings

SMALLEST_BATCH = 4  # no smaller batch replaces the one asked for: batch norms need several images
SIZE_STEPS = 10  # steps between changes of the input side, as in Darknet
STRIDE = 32  # input sides vary by it, or by the next multiple of what a detector needs
RISE = 0.3  # share of a one-cycle run, as in torch's OneCycleLR and fast.ai
CYCLE_START = 1 / 25  # share of the learning rate, from the same sources
CYCLE_DIP = 0.1  # by which momentum falls while the rate rises (Smith 2018, arXiv 1803.09820: 0.95 to 0.85)


@dataclass(frozen=True, slots=True)
class Plan:
    """`images` training images in batches of `batch` for `epochs` epochs.

    The batches run through the shuffled images without a break: step k takes places k * batch to (k + 1) * batch of an
    endless list in which one epoch's order follows the other. So there is no smaller last batch.
    """

    images: int
    batch: int
    epochs: int
    seed: int = 0

    @property
    def steps(self) -> int:
        return math.ceil(self.images * self.epochs / self.batch)

    def epoch(self, step: int) -> int:
        """Epochs completed after `step` steps."""
        return min(step * self.batch // self.images, self.epochs)

    def ends_epoch(self, step: int) -> bool:
        """Whether an epoch ends with the last of `step` steps."""
        return step > 0 and self.epoch(step) > self.epoch(step - 1)

    def evaluates(self, step: int, every: int) -> bool:
        """Whether AP is measured after `step` steps: each `every` epochs (0: never) and at the end.

        A step of more images than there are ends several epochs at once: then after the first one due.
        """
        if step == self.steps:
            return True
        return bool(every) and step > 0 and self.epoch(step) // every > self.epoch(step - 1) // every

    def indices(self, step: int) -> np.ndarray:
        """(batch,) int64: the images of the step with this number, counted from 0."""
        places = np.arange(step * self.batch, (step + 1) * self.batch)
        epochs = places // self.images
        orders = {int(epoch): self.order(int(epoch)) for epoch in np.unique(epochs)}
        return np.array([orders[int(e)][p % self.images] for e, p in zip(epochs, places, strict=True)], np.int64)

    def order(self, epoch: int) -> np.ndarray:
        """(images,) int64: all images in the order of this epoch, counted from 0. Not to be changed."""
        return _order(self.images, self.seed, epoch)


@functools.lru_cache(maxsize=4)  # shuffling a million tiles for each step that asks takes 20 ms
def _order(images: int, seed: int, epoch: int) -> np.ndarray:
    order = np.random.default_rng((seed, epoch)).permutation(images)
    order.setflags(write=False)
    return order


def lengthen(settings: TrainingSettings, images: int, processes: int = 1) -> TrainingSettings:
    """The settings with smaller batches or more epochs, so that a training on `images` images has its `least_steps`.

    Applying it twice changes nothing more. Smaller batches cost nothing; more epochs take longer. Measured on 9 images
    of blood cells, for 50 others, each at 300 epochs or as told: batches of 8, 338 steps: AP50 .55; of 4, 675 steps:
    .66; of 4, 600 epochs, 1,350 steps: .76.
    """
    batch, epochs = settings.batch, settings.epochs
    while Plan(images, batch, epochs).steps < settings.least_steps and batch // 2 >= SMALLEST_BATCH and processes == 1:
        batch //= 2
    if Plan(images, batch, epochs).steps < settings.least_steps:
        epochs = math.ceil(settings.least_steps * batch / images)
    return replace(settings, batch=batch, epochs=epochs)


def lengthening_note(before: TrainingSettings, after: TrainingSettings, images: int) -> str:
    """What lengthen() changed and why, for the user. `images`: as in lengthen()."""
    was, steps = (Plan(images, one.batch, one.epochs).steps for one in (before, after))
    what = [f"batches of {after.batch} instead of {before.batch}"] if after.batch != before.batch else []
    what += [f"{after.epochs:,} epochs instead of {before.epochs:,}"] if after.epochs != before.epochs else []
    few = f"{count_views(images, before.tiles > 0)} would make {count(was, 'step')}, too few to learn much"
    return f"{few}: {' and '.join(what)} make {steps:,}."


def learning_rate(settings: TrainingSettings, step: int, steps: int) -> float:
    """The rate of the step with this number (from 0) of `steps`."""
    warm_up = warm_up_steps(settings, steps)
    if settings.schedule == "one-cycle":
        start, end = (CYCLE_START, 1.0) if step < warm_up else (1.0, settings.final_rate)
        return float(settings.learning_rate * _along(start, end, _cycle(step, warm_up, steps)))
    if step < warm_up:
        return float(settings.learning_rate * ((step + 1) / warm_up) ** settings.warm_up_power)
    if settings.schedule == "constant":
        return settings.learning_rate
    if settings.schedule == "step":
        falls = sum(step >= share * steps for share in settings.step_at)
        return float(settings.learning_rate * 0.1**falls)
    progress = (step - warm_up) / max(steps - warm_up, 1)  # 0..1
    return float(settings.learning_rate * _along(1.0, settings.final_rate, progress))


def warm_up_steps(settings: TrainingSettings, steps: int) -> int:
    """The number of steps in which the learning rate rises."""
    return round(RISE * steps) if settings.schedule == "one-cycle" else min(settings.warm_up, steps // 10)


def momentum(settings: TrainingSettings, step: int, steps: int) -> float:
    """The momentum (adamw: first beta) of the step with this number: with one cycle, low where the rate is high."""
    if settings.schedule != "one-cycle":
        return settings.momentum
    rise, low = warm_up_steps(settings, steps), max(settings.momentum - CYCLE_DIP, 0.0)
    start, end = (settings.momentum, low) if step < rise else (low, settings.momentum)
    return float(_along(start, end, _cycle(step, rise, steps)))


def _cycle(step: int, rise: int, steps: int) -> float:
    """0..1 on the way up, and again on the way down."""
    return step / rise if step < rise else (step - rise) / max(steps - rise, 1)


def _along(start: float, end: float, progress: float) -> float:
    """From start to end along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def is_frozen(settings: TrainingSettings, step: int, steps: int) -> bool:
    """Whether the backbone's weights are frozen in the step with this number."""
    return step < settings.freeze * steps


def input_side(settings: TrainingSettings, step: int, steps: int, input_px: int, multiple: int) -> int:
    """The side of the step's images: `input_px`, or a multiple of 32 around it; always `input_px` in the last steps.

    `multiple`: what the detector's sides must be multiples of (`Detector.side_multiple`). Where 32 is none of these,
    the sides are multiples of the next one above: of 64 or 128 for networks with six or seven halvings.

    Drawn as in AlexeyAB's Darknet: `input_px` multiplied or divided by 1 to 1 + sizes, and one step of 32 more, but
    nothing that was divided above `input_px`. At 0.4, 416 becomes 320 to 608, the range of YOLOv2's paper; pjreddie's
    Darknet uses that range for any side. There the last 100 or 200 steps are at the largest side, here those of
    calm_share at `input_px`.
    """
    if settings.sizes == 0 or is_calm(settings, step, steps):
        return input_px
    random = np.random.default_rng((settings.seed, 1, step // SIZE_STEPS))
    factor = 1 + random.uniform(0, settings.sizes)
    if random.random() < 0.5:
        return _near(input_px * factor, multiple)
    return min(_near(input_px / factor, multiple), input_px)


def largest_side(settings: TrainingSettings, input_px: int, multiple: int) -> int:
    """The largest side that input_side() may give: images are kept at this resolution."""
    return _near(input_px * (1 + settings.sizes), multiple) if settings.sizes else input_px


def _near(side: float, multiple: int) -> int:
    by = -(-STRIDE // multiple) * multiple
    return max(by, int(side / by + 1.5) * by)


def attack_strength(settings: TrainingSettings, step: int, steps: int) -> float:
    """The strength of self-adversarial training in the step; 0 for most steps (Darknet's rule 30)."""
    if step < warm_up_steps(settings, steps) or not settings.self_adversarial:
        return 0.0
    if np.random.default_rng((settings.seed, 3, step)).random() >= settings.self_adversarial:
        return 0.0
    return float(settings.adversarial_rate * step / steps)


def is_calm(settings: TrainingSettings, step: int, steps: int) -> bool:
    """Whether the step belongs to the end of the run, without mosaic and similar augmentation."""
    return step >= steps * (1 - settings.calm_share)
