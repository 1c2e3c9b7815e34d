"""A training from its request to its last checkpoint, as a generator of events: the window and the command line
iterate the very same one.

Closing the generator, Ctrl-C, Stop and the natural end share one path: the `finally` below writes the last
checkpoint, from which `resume` continues as if nothing had happened, bit for bit on the CPU. (Only a Ctrl-C that
falls into the few milliseconds in which the weights change may leave some of them changed and others not; the command
line therefore sets `control.stop` at the first Ctrl-C.)
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch

from workbench import detectors
from workbench.core.lock import Lock
from workbench.core.project import Snapshot, Split
from workbench.errors import WorkbenchError
from workbench.training import augment, checkpoint, machine, prepare, recipes, record, schedule, validate, weights
from workbench.training.augment import Batch
from workbench.training.checkpoint import BEST, LAST, STATE, CheckpointHeader, State
from workbench.training.data import Dataset, load
from workbench.training.ema import Average
from workbench.training.events import (
    Control,
    Evaluated,
    Event,
    Failed,
    Finished,
    Message,
    Paused,
    Saved,
    Started,
)  # fmt: skip
from workbench.training.meter import Meter
from workbench.training.request import RunRequest
from workbench.training.step import Stepper

__all__ = ["RunRequest", "resume", "train"]

SAVE_EVERY = 60.0  # seconds between two saves of the last checkpoint: what a kill may cost
LOOK_EVERY = 0.1  # seconds between two looks at the pause flag


def train(request: RunRequest, control: Control | None = None) -> Iterator[Event]:
    """Train as `request` says, yielding events, which are also appended to events.jsonl in the run's folder.

    WorkbenchError when the training can't start (no boxes, no such device, folder in use); once Started was yielded,
    failures are the event Failed, the last one. Set `control.stop` for an orderly end with Finished(stopped=True).
    Changes torch's seed and, while it runs, its number of threads.
    """
    control = control or Control()
    with _locked(request.folder), contextlib.closing(record.EventLog(request.folder)) as log:
        training = _Training(request, control, log)
        with machine.one_thread_each():
            steps = training.events()
            try:
                with contextlib.closing(steps):  # type: ignore[type-var]
                    for event in steps:
                        yield log.add(event)
            except WorkbenchError as error:
                failed = log.add(Failed(error.sentence, error.cause))
                if training.left or not training.started:
                    raise
                yield failed
            except Exception as error:
                log.add(Failed(f"The training stopped because of an error in Workbench: {error}", repr(error)))
                raise


def resume(folder: Path, control: Control | None = None) -> Iterator[Event]:
    """Go on with the run in `folder` from its last checkpoint, with the data and the recipe it was started with."""
    return train(record.read_request(Path(folder)), control)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkbenchError(f"The folder {folder} could not be made: {error.strerror or error}.", error) from error
    lock = Lock(folder)
    if not lock.held:
        raise WorkbenchError(f"The run {folder.name} is in use by {lock.holder}. Stop it there first.")
    try:
        yield
    finally:
        lock.release()


class _Training:
    """The state of one training. `done` counts completed steps."""

    def __init__(self, request: RunRequest, control: Control, log: record.EventLog) -> None:
        self.request, self.control, self.log = request, control, log
        self.recipe, self.settings = request.recipe, request.recipe.training
        self.threads = min(self.settings.threads or machine.cores(), machine.cores())
        self.started = False
        self.left = False  # closed or interrupted from outside: nobody takes events any more
        self.done = self.evaluated = self.stale = 0
        self.best, self.best_ap50 = -1.0, 0.0
        self.early = False
        self.metrics: dict[str, float] = {}
        self.notes: list[Message] = []
        self.earlier = 0.0  # seconds of training before this resume
        self.data: Dataset
        self.validation: Dataset

    def _resolve(self) -> None:
        """Read in what the detector's settings name by file, so that the run's record stands alone."""
        names = tuple(label.name for label in self.request.snapshot.labels)
        self.recipe = replace(self.recipe, detector_settings=self.recipe.detector_settings.resolved(names))
        self.request = replace(self.request, recipe=self.recipe)

    def events(self) -> Iterator[Event]:
        machine.keep_freed_memory()
        self._resolve()
        self.clock = time.monotonic()
        state = self._saved_state() if self.request.resume else None
        yield from self._read()
        if self.control.stop.is_set():
            step = state.step if state else 0
            yield Finished(step, 0, True, 0.0, self._seconds(), str(self.request.folder))
            return
        self._build(state)
        yield from self._train()

    def _saved_state(self) -> State | None:
        """None where the run was killed before its first save: it begins again, from what it was asked."""
        file = self.request.folder / STATE
        if file.exists():
            return checkpoint.load_state(file)
        self.notes.append(Message("warning", "The run ended before anything was saved, so it begins again."))
        return None

    # --- before the first step ---

    def _read(self) -> Iterator[Event]:
        train, validation, notes = prepare.parts(self.request.snapshot, self.settings)
        yield from notes
        own, kind = self.recipe.detector_settings, detectors.load_all().get(self.recipe.detector)
        largest = own.input_px if kind.fixed_size else schedule.largest_side(self.settings, own.input_px)
        self.data = yield from self._load(train, largest, own.pictures())
        try:
            self.validation = yield from self._load(validation, own.input_px)
        except WorkbenchError as error:
            if any(image.split is Split.VALIDATION for image in validation.images):
                sentence = f"None of the {len(validation):,} validation images could be read."
                raise WorkbenchError(f"{sentence} Check that their folder is still there.", error) from error
            note = "None of the images held out could be read: AP is computed on the training images and tells little."
            yield Message("warning", note)
            self.validation = yield from self._load(self.data.snapshot, own.input_px)

    def _load(
        self, part: Snapshot, px: int, pictures: Sequence[tuple[Path, int]] = ()
    ) -> Generator[Event, None, Dataset]:  # fmt: skip
        how = detectors.load_all().get(self.recipe.detector).chosen_resize(self.recipe.detector_settings)
        return (yield from load(
            part, px, how,
            ignore_difficult=self.settings.difficult == "ignore", threads=self.threads, scratch=self.request.folder,
            control=self.control, pictures=pictures,
        ))  # fmt: skip

    def _build(self, state: State | None) -> None:
        torch.manual_seed(self.settings.seed)
        device = machine.chosen_device(self.settings.device)
        detector = prepare.build(self.recipe, len(self.request.snapshot.labels), self.request.anchors)
        self.notes += prepare.check(detector, self.data)
        if state is None and self.request.start is not None:
            names = [label.name for label in self.request.snapshot.labels]
            self.notes.append(weights.start(detector, self.request.start, names))
        detector.weigh_labels(prepare.label_weights(self.data, self.settings.label_balance))
        if detector.fixed_size and self.settings.sizes:
            self.settings = replace(self.settings, sizes=0.0)
            sentence = f"{detector.title} takes images of one size only, so the input side does not vary."
            self.notes.append(Message("info", sentence))
        wanted = state.precision if state else self.settings.precision
        precision = machine.chosen_precision(wanted, device)
        self.notes.append(Message("info", precision.why))
        self.stepper = Stepper(detector, self.settings, device, precision, self.threads)
        self.notes += [Message("warning", sentence) for sentence in self.stepper.idle()]
        self.average = Average(self.stepper.detector, self.settings.ema)
        self.plan = schedule.Plan(len(self.data), self.settings.batch, self.settings.epochs, self.settings.seed)
        self.meter = Meter(self.plan, device)
        if state is None:
            record.write_request(self.request)
        else:
            self._restore(state)
        self.started = True

    def _story(self) -> Iterator[Event]:
        detector = self.stepper.detector
        yield Started(
            run=self.request.name, folder=str(self.request.folder), detector=self.recipe.detector,
            device=str(self.stepper.device), precision=self.stepper.precision.name, images=len(self.data),
            validation_images=len(self.validation), epochs=self.settings.epochs, steps=self.plan.steps,
            parameters=sum(p.numel() for p in detector.parameters() if p.requires_grad), resumed_step=self.done,
        )  # fmt: skip
        yield from self.notes

    # --- the loop ---

    def _train(self) -> Iterator[Event]:
        words: list[Event] = []
        self.saved = time.monotonic()
        with contextlib.closing(self.stepper), ThreadPoolExecutor(1, "batch") as ahead:  # leaving waits for both
            try:
                yield from self._story()
                yield from self._pending_evaluation()
                yield from self._steps(ahead)
            finally:
                cause = sys.exception()
                self.left = isinstance(cause, GeneratorExit | KeyboardInterrupt)
                words = self._last_words()
                if cause is not None:  # nobody takes events any more, but the record does
                    for event in words if self.left else words[:-1]:
                        self.log.add(event)
        yield from words

    def _steps(self, ahead: ThreadPoolExecutor) -> Iterator[Event]:
        coming = self._order(ahead)
        while self.done < self.plan.steps and not self.early:
            if self.control.pause.is_set():
                yield from self._wait()
            if self.control.stop.is_set():
                return
            batch, coming_rate = coming.result(), schedule.learning_rate(self.settings, self.done, self.plan.steps)
            coming = self._order(ahead, 1)
            micro = self.stepper.micro
            attack = schedule.attack(self.settings, self.done, self.plan.steps)
            terms = self.stepper.step(batch, coming_rate, self.done, attack)
            self.done += 1
            self.average.update(self.done)
            self.meter.add(terms, coming_rate, self.stepper.gradient_norm)
            if self.stepper.micro < micro:
                sentence = f"Memory ran out: from now on {self.stepper.micro} images go through at once, not {micro}."
                yield Message("warning", sentence)
            if self.meter.due or self.plan.ends_epoch(self.done):
                yield self.meter.progress(self.done)
            if self.plan.ends_epoch(self.done):
                yield from self._end_epoch()

    def _order(self, ahead: ThreadPoolExecutor, later: int = 0) -> Future[Batch]:
        return ahead.submit(self._batch, self.done + later)

    def _batch(self, step: int) -> Batch:
        """The batch of a step; made in the background while the step before is computed."""
        total = self.plan.steps
        side = schedule.input_side(self.settings, step, total, self.recipe.detector_settings.input_px)
        calm = schedule.is_calm(self.settings, step, total)
        return augment.augmented(self.data, self.plan.indices(step), self.settings, step, side, calm=calm)

    def _wait(self) -> Iterator[Event]:
        yield Paused(True, self.done)
        while self.control.pause.is_set() and not self.control.stop.wait(LOOK_EVERY):
            pass
        self.meter.rest()
        yield Paused(False, self.done)

    # --- between epochs ---

    def _end_epoch(self) -> Iterator[Event]:
        epoch = self.plan.epoch(self.done)
        every = self.settings.evaluate_every
        if self.done == self.plan.steps or (every and epoch % every == 0):
            yield from self._evaluate()
        if time.monotonic() - self.saved > SAVE_EVERY:
            yield self._save_last()

    def _pending_evaluation(self) -> Iterator[Event]:
        """The evaluation that a stop cut short, so that a resumed run evaluates as a straight one."""
        every = self.settings.evaluate_every
        due = self.done == self.plan.steps or (every and self.plan.epoch(self.done) % every == 0)
        if self.plan.ends_epoch(self.done) and due and self.evaluated < self.done:
            yield from self._evaluate()

    def _evaluate(self) -> Iterator[Event]:
        scores = validate.evaluate(
            self.average.detector, self.validation, self.stepper.device, self.settings.batch, self.control, self.threads
        )  # fmt: skip
        if scores is None:
            return
        self.evaluated = self.done
        self.metrics = scores.numbers()
        value = self.metrics[self.settings.best_by]
        better = value > self.best
        self.stale = 0 if better else self.stale + 1
        epoch = self.plan.epoch(self.done)
        saved = None
        if better:
            self.best, self.best_ap50 = value, scores.ap50
            saved = self._save_weights(BEST)
        self.early = 0 < self.settings.patience <= self.stale
        self.meter.rest()
        yield Evaluated(
            epoch,
            self.done,
            scores.ap,
            scores.ap50,
            scores.ap75,
            scores.per_label,
            scores.images,
            scores.seconds,
            better,
            scores.per_label_ap,
        )
        if saved:
            yield saved
        if self.early and self.done < self.plan.steps:
            yield Message("info", f"AP has not risen for {self.stale} evaluations: the training ends early.")

    # --- checkpoints ---

    def _last_words(self) -> list[Event]:
        """Save, and the last events."""
        stopped = self.done < self.plan.steps and not self.early
        saved = self._save_last()
        epoch, seconds = self.plan.epoch(self.done), self._seconds()
        return [saved, Finished(self.done, epoch, stopped, self.best_ap50, seconds, str(self.request.folder))]

    def _save_last(self) -> Saved | Message:
        """Write last.state.pt and last.safetensors; weights that are not finite leave the files as they were."""
        self.saved = time.monotonic()
        try:
            checkpoint.save_state(self.request.folder / STATE, self._state())
            return self._save_weights(LAST)
        except checkpoint.NotFinite as error:
            return Message("warning", error.sentence)

    def _save_weights(self, name: str) -> Saved:
        file = self.request.folder / name
        checkpoint.save_detector(file, self.average.detector.state_dict(), self._header())
        return Saved(name.removesuffix(".safetensors"), str(file), self.done)

    def _seconds(self) -> float:
        return self.earlier + time.monotonic() - self.clock

    def _header(self) -> CheckpointHeader:
        detector = self.stepper.detector
        return CheckpointHeader(
            detector=self.recipe.detector,
            detector_settings=recipes.to_dict(self.recipe)["detector_settings"],
            labels=self.request.snapshot.labels,
            anchors=detector.anchors,
            input_px=self.recipe.detector_settings.input_px,
            resize=detector.resize,
            window=self.request.snapshot.window,
            epoch=self.plan.epoch(self.done),
            step=self.done,
            metrics=self.metrics,
            data_digest=self.request.snapshot.digest,
            provenance=checkpoint.provenance(
                {
                    "run": self.request.name,
                    "images": len(self.data),
                    "precision": self.stepper.precision.name,
                    "seconds": round(self._seconds(), 1),
                    "recipe": recipes.to_dict(self.recipe),
                    "seen": self.done * self.settings.batch,
                    "begun from": self.request.start.name if self.request.start else "",
                }
            ),
        )

    def _state(self) -> State:
        device = self.stepper.device
        return State(
            step=self.done, detector=self.stepper.detector.state_dict(), average=self.average.detector.state_dict(),
            optimizer=self.stepper.optimizer.state_dict(), rng=torch.get_rng_state(),
            device_rng=torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
            best=self.best, best_ap50=self.best_ap50, stale=self.stale, evaluated=self.evaluated,
            seconds=self._seconds(), precision=self.stepper.precision.name, micro_batch=self.stepper.micro,
            header=self._header().to_json(),
        )  # fmt: skip

    def _restore(self, state: State) -> None:
        self.stepper.detector.load_state_dict(state.detector)
        self.average.detector.load_state_dict(state.average)
        self.stepper.optimizer.load_state_dict(state.optimizer)
        self.stepper.micro = state.micro_batch
        torch.set_rng_state(state.rng)
        if state.device_rng is not None and self.stepper.device.type == "cuda":
            torch.cuda.set_rng_state(state.device_rng, self.stepper.device)
        self.done, self.evaluated, self.stale = state.step, state.evaluated, state.stale
        self.best, self.best_ap50, self.earlier = state.best, state.best_ap50, state.seconds
        header = checkpoint.header_of(state, STATE)
        self.metrics = header.metrics
        before = header.provenance.get("images")
        if before != len(self.data):
            sentence = f"{len(self.data):,} images can be read now, {before:,} could when the run was saved."
            self.notes.append(Message("warning", f"{sentence} It goes on, but not exactly as it would have."))
        self.meter.begin(self.done)
