"""The loop of a training: what is made before the first step, the steps, what happens between epochs, and checkpoints.

run.py starts it and reports what goes wrong.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from workbench.core import control_groups
from workbench.core.formatting import count
from workbench.detectors.parts.detector import Detector
from workbench.errors import WorkbenchError
from workbench.training import fine_tuning, prepare, schedule, validate
from workbench.training.batches import dataset_loading, device_augment
from workbench.training.batches.data import Dataset
from workbench.training.batches.device_paint import AnyBatch
from workbench.training.batches.image_views import examined
from workbench.training.checkpoints import checkpoint, resuming, saving, weights
from workbench.training.checkpoints.checkpoint import BEST, STATE, CheckpointHeader, State
from workbench.training.checkpoints.save_schedule import SaveSchedule
from workbench.training.checkpoints.saving import TrainingProgress
from workbench.training.checkpoints.write_retries import WriteRetries
from workbench.training.checks import preflight_copies
from workbench.training.ema import Average
from workbench.training.events import Control, Evaluated, Event, Failed, Finished, Message, Paused, Saved, Started
from workbench.training.hardware import gpu, machine, memory_probe
from workbench.training.hardware.keep_awake import kept_awake
from workbench.training.hardware.runtime import Runtime
from workbench.training.monitoring.meter import Meter
from workbench.training.monitoring.monitor import TrainingMonitor
from workbench.training.records import record
from workbench.training.request import RunRequest
from workbench.training.settings import FEW_JUDGES
from workbench.training.step import Diverged, Stepper

LOOK_EVERY = 0.1  # seconds between two checks of the pause flag
PAUSE, STOP = 1, 2


class Training:
    """One training: iterate events()."""

    def __init__(
        self, request: RunRequest, control: Control, log: record.AnyLog, runtime: Runtime, retries: WriteRetries
    ) -> None:
        self.request, self.control, self.log, self.runtime, self.retries = request, control, log, runtime, retries
        self.recipe, self.settings = request.recipe, request.recipe.training
        most = max(control_groups.usable_cores() // runtime.local_world_size, 1)
        self.threads = min(self.settings.threads or most, most)
        self.awake = contextlib.ExitStack()
        self.started = False
        self.abandoned = False  # closed or interrupted from outside: nobody receives events any more
        self.progress, self.early = TrainingProgress(), False
        self.notes: list[Message] = []
        self.data: Dataset
        self.validation: Dataset

    def _resolve(self) -> None:
        """Read in the files that the detector's settings name, so that the run's record is complete in itself."""
        names = tuple(label.name for label in self.request.snapshot.labels)
        own = self.runtime.broadcast(lambda: self.recipe.detector_settings.resolved(names))
        self.recipe = replace(self.recipe, detector_settings=own)
        anchors = self.runtime.broadcast(lambda: weights.own_anchors(self.request))
        self.request = replace(self.request, recipe=self.recipe, anchors=anchors)

    def events(self) -> Iterator[Event]:
        """All of them: reading the images, the steps, and the end. Iterate once. WorkbenchError if it can't start."""
        with self.awake:
            self._keep_awake()
            yield from self._events()

    def _keep_awake(self) -> None:
        if self.runtime.is_main:
            self.awake.enter_context(kept_awake())

    def _events(self) -> Iterator[Event]:
        machine.keep_freed_memory()
        self._resolve()
        self.clock = time.monotonic()
        resumes, folder = self.request.resume, self.request.folder
        state, messages = self.runtime.broadcast(lambda: resuming.saved_state(folder)) if resumes else (None, [])
        self.notes += messages
        if state is not None:
            self.progress = saving.progress_of(state)
        self.notes += resuming.choose_device(self.runtime, self.settings, state, resumes)
        self.data, self.validation = yield from dataset_loading.load_datasets(
            self.request, self.runtime, self.threads, self.control
        )
        if self.runtime.agree(self.control.stop.is_set()):
            yield self._finished(checkpoint.header_of(state, STATE).epoch if state else 0, stopped=True)
            return
        with gpu.alone_on(self.runtime.device):
            self._build(state)
            yield from self._train()

    # --- before the first step ---

    def _build(self, state: State | None) -> None:
        dataset_loading.check_same(self.runtime, self.data, self.validation)
        self.runtime.begin(self.settings.seed)
        detector = prepare.build(self.recipe, len(self.request.snapshot.labels), self.request.anchors)
        self.notes += prepare.anchors_from(detector, self.request.anchors, self.settings.tiles)
        if state is None:
            looked_at = examined(self.data, self.settings, detector.resize)
            self.notes += prepare.check(detector, looked_at, self.control.stop.is_set)
        if self.runtime.is_main:
            advice = preflight_copies.advice_for(self.settings)
            leaks = preflight_copies.of_pictures(self.data, self.validation, advice)
            self.notes += [Message(found.level, found.text) for found in leaks]
        if state is None and self.request.start is not None:
            self._begin_from(detector, self.request.start)
        detector.weigh_labels(prepare.label_weights(self.data, self.settings.label_balance))
        settings, images = saving.as_resumed(self.settings, state), (len(self.data), len(self.validation.whole))
        self.settings, notes = prepare.adapt_settings(settings, detector, *images, self.runtime.world)
        self.settings = fine_tuning.fine_tuning_settings(self.settings) if self.request.goes_on else self.settings
        self.notes += notes + self.runtime.notes()
        self.stepper = Stepper(detector, self.settings, self.runtime, self.threads)
        self.stepper.norms_known = self.request.goes_on
        self.notes += [Message("warning", sentence) for sentence in self.stepper.unused_settings()]
        if state is None:
            self.runtime.broadcast(lambda: saving.check_room(self.request.folder, self.stepper))
        self.average = Average(self.stepper.detector, self.settings.ema)
        self.batch_maker = device_augment.make_batch_maker(self.data, self.runtime.device)
        self.notes += self.batch_maker.notes()
        if self.runtime.device.type == "cuda":
            self.notes += memory_probe.fit_batch_parts(
                self.stepper, self.data, memory_probe.gpu_memory(self.runtime.device), self.batch_maker
            )
        self.plan = schedule.Plan(len(self.data), self.settings.batch, self.settings.epochs, self.settings.seed)
        self.meter = Meter(self.plan, self.runtime.device, self.data.image_count)
        parts = self.data, self.validation
        self.monitor = TrainingMonitor(self.request, self.settings, *parts, self.runtime, self.threads, self.control)
        if state is None:
            self.runtime.broadcast(lambda: record.write_request(self.request, self.validation.whole.digest))
        else:
            self._restore(state)
        self.started = True

    def _begin_from(self, detector: Detector, start: Path) -> None:
        """In the main process: the others get its weights."""
        names, former = [label.name for label in self.request.snapshot.labels], self.request.snapshot.former_names
        known = self.runtime.broadcast(lambda: fine_tuning.knows_all(start, self.recipe, names, former))
        self.request = replace(self.request, goes_on=known)
        if self.runtime.is_main:
            begun = weights.start(detector, start, names, former)
            self.notes += [begun, *fine_tuning.leakage_warnings(start, self.data, self.validation)]
        if known:
            self.progress.evaluated = -1  # they are evaluated before the first step
            self.notes += fine_tuning.notes(self.settings, start)

    def _opening_events(self) -> Iterator[Event]:
        yield Started(
            run=self.request.name, folder=str(self.request.folder), detector=self.recipe.detector,
            device=self.runtime.device_name, precision=self.runtime.precision.name, images=len(self.data.whole),
            validation_images=len(self.validation.whole), epochs=self.settings.epochs, steps=self.plan.steps,
            parameters=sum(p.numel() for p in self.stepper.detector.parameters() if p.requires_grad),
            resumed_step=self.progress.done, views=len(self.data) if self.data.originals is not None else 0,
        )  # fmt: skip
        yield from self.notes

    # --- the loop ---

    def _train(self) -> Iterator[Event]:
        closing: list[Event] = []
        self.saves = SaveSchedule(self.runtime)
        with contextlib.closing(self.stepper), ThreadPoolExecutor(1, "batch") as ahead:  # leaving waits for both
            try:
                yield from self._opening_events()
                yield from self._pending_evaluation()
                yield from self._steps(ahead)
            finally:
                cause = sys.exception()
                self.abandoned = isinstance(cause, GeneratorExit | KeyboardInterrupt)
                self.retries.waits = not self.abandoned
                closing = self._closing_events()
                if cause is not None:  # nobody receives events any more, but they are still recorded
                    for event in closing if self.abandoned else closing[:-1]:
                        self.log.add(event)
        yield from closing

    def _steps(self, ahead: ThreadPoolExecutor) -> Iterator[Event]:
        """All of them; from the first one whose numbers half precision can't hold in fp32."""
        half = self.runtime.precision.name
        try:
            yield from self._steps_as_chosen(ahead)
            return
        except Diverged:
            if not self.stepper.use_fp32():
                raise
        sentence = f"The loss or its gradient is not a number any more in {half}: the training goes on in fp32"
        yield Message("warning", f"{sentence} from step {self.progress.done + 1:,}.")
        yield from self._steps_as_chosen(ahead)

    def _steps_as_chosen(self, ahead: ThreadPoolExecutor) -> Iterator[Event]:
        next_batch = self._submit_batch(ahead)
        while self.progress.done < self.plan.steps and not self.early:
            action = self._requested_action()
            if action == PAUSE:
                yield from self._read(everything=True)
                action = yield from self._wait()
            if action == STOP:  # not what this process alone knows by now: the others would wait for its next step
                yield from self._read(everything=True)
                break
            batch, done, micro = next_batch.result(), self.progress.done, self.stepper.micro
            rate, steps = schedule.learning_rate(self.settings, done, self.plan.steps), self.plan.steps
            yield from self.batch_maker.notes()
            next_batch = self._submit_batch(ahead, 1)
            for remark in self.stepper.try_compiling(batch, done):
                yield remark
                self.meter.rest()
            attack = schedule.attack_strength(self.settings, done, steps)
            frozen = self.request.start is not None and schedule.is_frozen(self.settings, done, steps)  # not fresh ones
            momentum = schedule.momentum(self.settings, done, steps)
            with self._locating_divergence():
                self.stepper.queue(batch, rate, done, attack, frozen=frozen, momentum=momentum)
            self.progress.done += 1
            self.average.update(self.progress.done, self.stepper.over)
            if self.stepper.micro < micro:
                sentence = f"Memory ran out: images now go through {self.stepper.micro:,} at a time, not {micro:,}."
                yield Message("warning", sentence)
            yield from self._read()
            if self.plan.ends_epoch(self.progress.done):
                yield from self._end_epoch()
            elif self.saves.within_epoch(self.progress.done):
                yield from self._read(everything=True)
                if self.runtime.is_main:
                    yield from self._save_last()

    def _read(self, everything: bool = False) -> Iterator[Event]:
        """Process the steps whose numbers have arrived; `everything`: all that were queued."""
        with self._locating_divergence():
            for result in self.stepper.results(everything):
                done = result.step.number + 1
                self.meter.add(result.terms, result.step.rate, result.gradient_norm)
                self.monitor.add_loss(sum(result.terms.values()))
                if self.meter.due or self.plan.ends_epoch(done):
                    yield self.meter.progress(done)

    @contextlib.contextmanager
    def _locating_divergence(self) -> Iterator[None]:
        """The sentence of Diverged, with the training set back to before that step: no later one changed a weight."""
        try:
            yield
        except Diverged as error:
            step = self.progress.done = error.step.number
            more = prepare.describe_step(self.data, self.plan, step, error.step.rate)
            raise Diverged(f"{error.sentence} {more}", error.step, error) from error

    def _submit_batch(self, ahead: ThreadPoolExecutor, later: int = 0) -> Future[AnyBatch]:
        return ahead.submit(self._batch, self.progress.done + later)

    def _batch(self, step: int) -> AnyBatch:
        """The batch of a step; made in the background while the previous step is computed."""
        total, detector = self.plan.steps, self.stepper.detector
        side = schedule.input_side(self.settings, step, total, detector.settings.input_px, detector.side_multiple)
        calm = schedule.is_calm(self.settings, step, total)
        part = self.runtime.own_slice(self.settings.batch)
        return self.batch_maker.batch(self.plan.indices(step), self.settings, step, side, calm=calm, part=part)

    def _requested_action(self) -> int:
        """What any process was asked to do: STOP (this one then also stops), PAUSE, or nothing."""
        own = STOP if self.control.stop.is_set() else PAUSE if self.control.pause.is_set() else 0
        action = self.runtime.agree(own)
        if action == STOP:
            self.control.stop.set()
        return action

    def _wait(self) -> Generator[Event, None, int]:
        """Return what is asked for after it. Saves first: in a pause that lasts a night a battery may run out."""
        yield Paused(True, self.progress.done)
        if self.runtime.is_main:
            yield self._save_or_warn()
        self.awake.close()
        begun = time.monotonic()
        while (action := self._requested_action()) == PAUSE:
            self.control.stop.wait(LOOK_EVERY)
        self.clock += time.monotonic() - begun
        self._keep_awake()
        self.meter.resume()
        yield Paused(False, self.progress.done)
        return action

    # --- between epochs ---

    def _end_epoch(self) -> Iterator[Event]:
        evaluates = self.plan.evaluates(self.progress.done, self.settings.evaluate_every)
        saves = self.saves.after_epoch()
        if evaluates or saves or self.runtime.world > 1:  # with several processes, none knows whether another one saves
            yield from self._read(everything=True)
        if evaluates:
            yield from self._evaluate()
        if saves or (evaluates and self.saves.after_epoch()):
            yield from self._save_last()

    def _pending_evaluation(self) -> Iterator[Event]:
        """An evaluation cut short by a stop, so that a resumed run has the same ones; or that of the first weights."""
        done, every = self.progress.done, self.settings.evaluate_every
        if self.progress.evaluated < done and (not done or self.plan.evaluates(done, every)):
            yield from self._evaluate()

    def _evaluate(self) -> Iterator[Event]:
        scores = validate.evaluate(
            self.average.detector, self.validation, self.runtime, self.settings.batch, self.control, self.threads
        )  # fmt: skip
        if scores is None:
            return
        self.progress.evaluated = self.progress.done
        self.progress.metrics = scores.numbers()
        value = self.progress.metrics[self.settings.best_by]
        few = len(self.validation.whole) < FEW_JUDGES
        better = value > (-1.0 if few else self.progress.best)  # never if it is NaN
        if value >= 0:  # NaN can't be measured
            self.progress.stale = 0 if better else self.progress.stale + 1
        epoch = self.plan.epoch(self.progress.done)
        saved = None
        if better:
            self.progress.best, self.progress.best_ap50 = value, scores.ap50
            better = value >= self.progress.kept
            if self.runtime.is_main and better:
                file, about = self.request.folder / BEST, self._header()
                saved = yield from self.retries.tries(lambda: saving.save_weights(file, self.average, about))
        self.early = 0 < self.settings.patience <= self.progress.stale
        yield from self.monitor.record_evaluation(self.average.detector, scores, epoch, self.progress.done)
        self.meter.rest()
        yield Evaluated(
            epoch, self.progress.done, scores.ap, scores.ap50, scores.ap75, scores.per_label, scores.images,
            scores.seconds, better, scores.per_label_ap,
        )  # fmt: skip
        yield from self.monitor.why_zero(scores, self.progress.done, self.plan.steps)
        if saved:
            yield saved
        if self.early and self.progress.done < self.plan.steps:
            often = count(self.progress.stale, "evaluation")
            yield Message("info", f"AP has not risen for {often}: the training ends early.")

    # --- checkpoints ---

    def _closing_events(self) -> list[Event]:
        """Read what is unread, save, and yield the last events."""
        read, failed = self._read_quietly()
        stopped = self.progress.done < self.plan.steps and not self.early
        saved = list(self._save_last()) if self.runtime.is_main else []
        if self.request.goes_on and self.runtime.is_main:
            read += fine_tuning.remarks(self.request.folder, self.settings.best_by)
        return [*read, *saved, failed or self._finished(self.plan.epoch(self.progress.done), stopped=stopped)]

    def _finished(self, epoch: int, *, stopped: bool) -> Finished:
        best, seconds = self.progress.highest_ap50, self._seconds()
        return Finished(self.progress.done, epoch, stopped, best, seconds, str(self.request.folder))

    def _read_quietly(self) -> tuple[list[Event], Failed | None]:
        """When nobody receives events any more: the events of the queued steps, and whether one was the last."""
        read: list[Event] = []
        try:
            read += self._read(everything=True)  # keeps what came before an error
        except Diverged as error:
            return read, Failed(error.sentence, error.cause)
        return read, None

    def _save_last(self) -> Iterator[Event]:
        """Write last.state.pt and last.safetensors; if weights are not finite, the files stay unchanged."""
        yield (yield from self.retries.tries(self._save))

    def _save(self) -> Saved | Message:
        self.saves.begin()
        about, seconds = self._header(), self._seconds()
        return saving.save_last(self.request.folder, self.stepper, self.average, self.progress, about, seconds)

    def _save_or_warn(self) -> Saved | Message:
        """For a pause: a warning at once if it fails, as who pauses because the disk is full makes room meanwhile."""
        try:
            return self._save()
        except WorkbenchError as error:
            return Message("warning", error.sentence)

    def _seconds(self) -> float:
        slept = self.meter.slept if self.started else 0.0
        return self.progress.earlier + time.monotonic() - self.clock - slept

    def _header(self) -> CheckpointHeader:
        epoch = self.plan.epoch(self.progress.done)
        return saving.header(self.request, self.stepper, self.progress, epoch, len(self.data.whole), self._seconds())

    def _restore(self, state: State) -> None:
        resuming.check_plan(state, self.plan.steps, len(self.data.whole))
        saving.restore(state, self.stepper, self.average)
        if state.epochs not in (0, self.settings.epochs):  # of the run that this one extends: with its last epoch, all
            self.progress.stale = 0  # patience may have been used up, and the longer one has its own
        self.early = 0 < self.settings.patience <= self.progress.stale  # killed before it could end
        self.notes += resuming.notes(self.request, state, self.progress, self.settings, self.data, self.validation)
        self.meter.begin(self.progress.done)
        self.monitor.begin(self.progress.done)
