"""How much time, memory and disk a training will take: from a few measured steps to the whole run. No torch.

cost_measurement.py measures; here are the arithmetic, which can be checked by hand, and the words.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from workbench.core.formatting import count, rough_duration, size
from workbench.training import schedule
from workbench.training.batches import cache_policy
from workbench.training.settings import FEW_JUDGES, TrainingSettings

SIDES_LOOKED_AT = 200  # of a run's input sides, evenly spread over it
LEAST_SPREAD = 0.2  # of the time, either way: other load on the machine is not known
ROUGH_SPREAD = 0.5  # if a smaller batch was measured
NUMBER = 4  # bytes of a weight
MOMENTS = {"sgd": 1, "adamw": 2}  # numbers that the optimiser keeps of each weight, from its first step on
CARD_SHARE = 0.25  # of a graphics card's free memory: what images may occupy permanently


@dataclass(frozen=True, slots=True)
class StepTiming:
    """Steps of `images` images with a side of `px` pixels: seconds of each. Of several processes: what all compute."""

    px: int
    images: int
    seconds: tuple[float, ...]

    @property
    def typical(self) -> float:
        return sorted(self.seconds)[len(self.seconds) // 2]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured on this machine. Bytes of memory: the process's or, on a graphics card, its part of that.

    `processes`: of which one was measured.
    """

    device: str
    precision: str
    timings: tuple[StepTiming, ...]  # at the input side first, at the largest last
    attacked: float  # how many times as long a self-adversarial step takes
    evaluation: float  # seconds per image, or view of one
    reading: float  # likewise
    starting: float  # seconds before the first step: to examine the device, to make the network
    memory: int  # most bytes, with as many images at once as in the last timing
    standing: int  # the bytes of it that do not grow with the images
    parameters: int  # trainable numbers
    room: int  # bytes that kept images may take in memory
    took: float  # seconds
    card: int = 0  # bytes that were free on the graphics card; 0: it makes no batches
    multiple: int = schedule.STRIDE  # what the detector's input sides must be multiples of
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """For a whole run. Times in seconds, sizes in bytes. `at_most`: it may end early.

    `views` and `validation_views`: of the images, as wholes and in tiles; 0 without tiles.
    """

    steps: int
    epochs: int
    images: int
    validation_images: int
    evaluations: int
    seconds: float
    low: float
    high: float
    step_seconds: float
    evaluation_seconds: float  # one of them
    reading_seconds: float
    memory: int
    cache: int
    cache_on_disk: bool
    checkpoints: int  # on disk
    device: str
    precision: str
    batch: int
    measured_batch: int
    px: int  # the largest input side
    at_most: bool
    took: float
    views: int = 0
    validation_views: int = 0
    processes: int = 1  # `memory` is that of all, on graphics cards that of each

    @property
    def words(self) -> str:
        """ "About 12 min (10 to 15) on cpu in bf16, 1.3 GB of memory; 63 MB on disk for images."."""
        images = f"; {size(self.cache)} on disk for images" if self.cache_on_disk else ""
        return f"About {self._time}, {size(self.memory)} of memory{self._each}{images}."

    @property
    def _each(self) -> str:
        return " on each card" if self.processes > 1 and not self.device.endswith("cpu") else ""

    @property
    def _time(self) -> str:
        unless = " if it does not stop early" * self.at_most
        took = f"{rough_duration(self.seconds)} ({_range(self.low, self.high)})"
        return f"{took}{unless} on {self.device} in {self.precision}"

    @property
    def how(self) -> str:
        """How it was measured, and what it leaves out."""
        noun = "images and tiles" if self.views > self.images else "images"
        of = (
            f"steps of {self.measured_batch} {noun}, not of {self.batch}, which would have taken too long"
            if self.measured_batch < self.batch
            else f"steps of {self.batch} {noun}"
        )
        one = (
            f" One of {self.processes} processes was measured: to start them, and what they tell each other at each"
            " step, is not included either."
        ) * (self.processes > 1)
        return (
            f"Measured in {rough_duration(self.took)}: {of}, made of noise and the project's boxes, of up to {self.px}"
            " px; an evaluation of them, and the reading of some image files. Other running programs slow it "
            "down as they would the training. Writing checkpoints is not included." + one
        )

    def rows(self) -> dict[str, str]:
        """Rows of a table for the user."""
        epochs = f"{count(self.epochs, 'epoch')} of {_counted(self.images, self.views)}"
        return {
            "time": self._time,
            "steps": f"{self.steps:,} of {_short(self.step_seconds)}: {epochs}, {self.batch} at a time",
            "evaluations": f"{self.evaluations:,} of {_short(self.evaluation_seconds)}:"
            f" {_counted(self.validation_images, self.validation_views)}",
            "memory": size(self.memory) + self._each,
            "images kept": f"{size(self.cache)} {'on disk' if self.cache_on_disk else 'in memory'}, at {self.px} px",
            "checkpoints": f"{size(self.checkpoints)} on disk",
        }

    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {**dataclasses.asdict(self), "words": self.words, "how": self.how}


def make_estimate(
    measured: Measurement, settings: TrainingSettings, input_px: int, images: int, validation_images: int,
    views: int = 0, validation_views: int = 0,
) -> Estimate:  # fmt: skip
    """The estimate for the whole run of `images` training images at `input_px`; `views`: see Estimate."""
    learnt, judged = views or images, validation_views or validation_images
    plan = schedule.Plan(learnt, settings.batch, settings.epochs, settings.seed)
    largest = measured.timings[-1]
    share = _attacked_share(settings, plan.steps)
    step = _mean_step(measured, settings, input_px, plan.steps) * (1 + share * (measured.attacked - 1))
    number = evaluations(settings, plan)
    evaluation, reading = measured.evaluation * judged, measured.reading * (learnt + judged)
    seconds = measured.starting + reading + plan.steps * step + number * evaluation
    quick, slow = _spread(measured, settings.batch)
    cache = cache_policy.size(learnt, largest.px) + cache_policy.size(judged, input_px)
    keep = "disk" if measured.processes > 1 else settings.keep_images
    on_disk = _on_disk(keep, cache_policy.size(learnt, largest.px) < measured.room, reading)
    growing = (measured.memory - measured.standing) * settings.batch / largest.images
    memory = int(measured.standing + growing) * (measured.processes if measured.device == "cpu" else 1)
    together = f"{measured.processes} x {measured.device.partition(':')[0]}"
    return Estimate(
        steps=plan.steps, epochs=settings.epochs, images=images, validation_images=validation_images,
        evaluations=number, seconds=seconds, low=seconds * quick, high=seconds * slow, step_seconds=step,
        evaluation_seconds=evaluation, reading_seconds=reading,
        memory=memory + _images_beside(measured, learnt, cache, on_disk),
        cache=cache, cache_on_disk=on_disk, checkpoints=checkpoint_bytes(measured.parameters, settings),
        device=together if measured.processes > 1 else measured.device, precision=measured.precision,
        batch=settings.batch, measured_batch=largest.images,
        px=largest.px, at_most=settings.patience > 0 and validation_images >= FEW_JUDGES, took=measured.took,
        views=views, validation_views=validation_views, processes=measured.processes,
    )  # fmt: skip


def fits_card(size: int, free: int) -> bool:
    """Whether this many bytes of images may be kept on a graphics card with `free` bytes."""
    return size <= CARD_SHARE * free


def _images_beside(measured: Measurement, images: int, kept: int, on_disk: bool) -> int:
    """Bytes of the device's memory that images take: on a card the training images, else all that are kept."""
    if measured.device != "cpu":
        learnt = cache_policy.size(images, measured.timings[-1].px)
        return learnt if fits_card(learnt, measured.card) else 0
    return 0 if on_disk else kept


def _on_disk(keep: str, fits: bool, reading: float) -> bool:
    """As cache_policy.py decides."""
    return keep == "disk" or not fits or (keep == "auto" and reading >= cache_policy.LONG)


def evaluations(settings: TrainingSettings, plan: schedule.Plan) -> int:
    """The number of evaluations in a run that goes to its end."""
    ends = sum(plan.ends_epoch(step) for step in range(1, plan.steps + 1)) if plan.batch > plan.images else plan.epochs
    if not settings.evaluate_every:
        return 1
    return ends // settings.evaluate_every + (ends % settings.evaluate_every > 0)


def _mean_step(measured: Measurement, settings: TrainingSettings, input_px: int, steps: int) -> float:
    """Seconds of a step of the whole batch, over all input sides of the run: their time grows with their area."""
    first, last = measured.timings[0], measured.timings[-1]
    by_image = [timing.typical * settings.batch / timing.images for timing in (first, last)]
    if first.px == last.px:
        return by_image[0]
    slope = (by_image[1] - by_image[0]) / (last.px**2 - first.px**2)
    some = range(0, steps, max(1, steps // SIDES_LOOKED_AT))
    sides = [schedule.input_side(settings, step, steps, input_px, measured.multiple) for step in some]
    mean = sum(side**2 for side in sides) / len(sides)
    return max(by_image[0] + slope * (mean - first.px**2), min(by_image) / 10)


def _attacked_share(settings: TrainingSettings, steps: int) -> float:
    after = 1 - schedule.warm_up_steps(settings, steps) / max(steps, 1)
    return settings.self_adversarial * after


def _spread(measured: Measurement, batch: int) -> tuple[float, float]:
    """Factors on the time, from how even the measured steps were and how far they were extrapolated."""
    least = LEAST_SPREAD if measured.timings[-1].images == batch else ROUGH_SPREAD
    quick = min(min(timing.seconds) / timing.typical for timing in measured.timings)
    slow = max(max(timing.seconds) / timing.typical for timing in measured.timings)
    return min(quick, 1 - least), max(slow, 1 + least)


def checkpoint_bytes(parameters: int, settings: TrainingSettings) -> int:
    """Bytes of last and best, and of the state."""
    return parameters * NUMBER * 2 + state_bytes(parameters, settings)


def state_bytes(parameters: int, settings: TrainingSettings) -> int:
    """Of the weights, their average and what the optimiser keeps of each."""
    return parameters * NUMBER * (2 + MOMENTS[settings.optimizer])


# --- words ---


def _counted(images: int, views: int) -> str:
    tiles = f" and {count(views - images, 'tile')}" if views > images else ""
    return f"{count(images, 'image')}{tiles}"


def _short(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 9.95 else rough_duration(seconds)


def _range(low: float, high: float) -> str:
    first, second = rough_duration(low), rough_duration(high)
    number, _, unit = first.partition(" ")
    return f"{number} to {second}" if second.endswith(f" {unit}") else f"{first} to {second}"
