"""Evaluating a run: what is kept, told and left out, and that the cache gives the same numbers."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.generators import close
from tests.inference.labelled import snapshot_of
from workbench.core import images
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.detections import Candidates
from workbench.core.folders.lost_folders import ADVICE
from workbench.core.nms import NmsKind
from workbench.core.project import FormerName, Label, Snapshot, Split
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import candidate_cache, evaluate, scoring
from workbench.inference.evaluating.evaluate import evaluate_run
from workbench.inference.evaluating.scoring import ScoringRules
from workbench.inference.events import EvaluationDone, EvaluationProgress, ListingProgress, Skipped
from workbench.inference.predict import Predictor
from workbench.report import show_evaluation


@pytest.fixture
def run(checkpoint: Path, tmp_path: Path) -> tuple[Predictor, Path]:
    """A run's folder with its checkpoint, open."""
    folder = tmp_path / "runs" / "first"
    folder.mkdir(parents=True)
    shutil.copy(checkpoint, folder / "best.safetensors")
    return Predictor.open(folder / "best.safetensors", device="cpu"), folder


@pytest.fixture
def truth(photographs: list[Path], tmp_path: Path) -> Snapshot:
    files = [Path(shutil.copy(file, tmp_path / file.name)) for file in photographs]
    return snapshot_of(files, [[("cat", [50.0, 50, 200, 200], False)] for _ in files], ["鳥", "cat", "Hündin"])


def finish(events: Iterable[object]) -> tuple[EvaluationDone, list[Any]]:
    seen = list(events)
    assert isinstance(seen[-1], EvaluationDone)
    return seen[-1], seen


def first_progress(events: Iterable[object]) -> EvaluationProgress:
    return next(event for event in events if isinstance(event, EvaluationProgress))


def test_the_second_evaluation_takes_the_kept_candidates_and_says_the_same(
    run: tuple[Predictor, Path], truth: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, folder = run
    first, _ = finish(evaluate_run(predictor, truth, Split.VALIDATION, folder))
    monkeypatch.setattr(predictor, "best", None)  # the network is not run again
    second, seen = finish(evaluate_run(predictor, truth, Split.VALIDATION, folder))
    assert first_progress(seen).cached == len(truth)
    assert first.evaluation.numbers() == pytest.approx(second.evaluation.numbers(), abs=0, nan_ok=True)
    for a, b in zip(first.candidates, second.candidates, strict=True):
        assert np.array_equal(a.boxes, b.boxes)
        assert np.array_equal(a.scores, b.scores)


def kept(folder: Path, checkpoint: Path, truth: Snapshot) -> list[Candidates]:
    """What the run has of these images for the next look."""
    known = candidate_cache.load(candidate_cache.cache_file(folder, checkpoint))
    return [known[name][0] for file in truth.files if (name := candidate_cache.image_digest(file)) in known]


def test_the_kept_candidates_are_found_without_the_network(run: tuple[Predictor, Path], truth: Snapshot) -> None:
    predictor, folder = run
    checkpoint = folder / "best.safetensors"
    assert kept(folder, checkpoint, truth) == []
    finish(evaluate_run(predictor, truth, None, folder))
    found = kept(folder, checkpoint, truth)
    assert len(found) == len(truth)
    assert all(len(candidates) > 10 for candidates in found)


def test_a_changed_picture_is_predicted_anew_and_the_others_are_not(
    run: tuple[Predictor, Path], truth: Snapshot
) -> None:
    predictor, folder = run
    finish(evaluate_run(predictor, truth, None, folder))
    shutil.copy(truth.files[1], truth.files[0])
    truth.files[2].write_bytes(truth.files[2].read_bytes() + b" ")
    _, seen = finish(evaluate_run(predictor, truth, None, folder))
    assert first_progress(seen).cached == len(truth) - 1  # the first now has the bytes of the second, which are known


def test_images_of_another_size_than_when_they_were_labelled_are_told(
    run: tuple[Predictor, Path], truth: Snapshot, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether they are read now or were kept before."""
    predictor, folder = run
    sizes = [(about.width, about.height) for about in map(images.info, truth.files)]
    known = [replace(one, width=w, height=h) for one, (w, h) in zip(truth.images, sizes, strict=True)]
    truth = replace(truth, images=tuple(known))
    assert finish(evaluate_run(predictor, truth, None, folder))[0].remark == ""
    image = images.read(truth.files[0])
    assert cv2.imwrite(str(truth.files[0]), image[: len(image) // 2])
    for _ in range(2):
        done, _ = finish(evaluate_run(predictor, truth, None, folder))
        assert done.remark == (
            "1 image has a different size from the one that the project knows, so its boxes may be in the wrong place:"
            f" {truth.images[0].path}. Check the data."
        )
    show_evaluation(evaluate_run(predictor, truth, None, folder), quiet=True)
    assert "a different size from" in capsys.readouterr().err


def test_the_images_of_a_folder_that_is_gone_are_told_in_one_sentence(
    run: tuple[Predictor, Path], truth: Snapshot, tmp_path: Path
) -> None:
    gone = [tmp_path / "disk" / f"{number}.jpg" for number in range(len(truth))]
    images = tuple(replace(image, root=image.root + (i % 2), path=f"{i}.jpg") for i, image in enumerate(truth.images))
    files = tuple(gone[i] if i % 2 else file for i, file in enumerate(truth.files))
    half = replace(truth, images=images, files=files)
    done, seen = finish(evaluate_run(run[0], half, None))
    assert [one.sentence for one in seen if isinstance(one, Skipped)] == [
        f"The folder of {len(truth) // 2} images is not there: {tmp_path / 'disk'}. {ADVICE}"
    ]
    assert (done.skipped, len(done.truth)) == (len(truth) // 2, len(truth) - len(truth) // 2)
    assert [file.parent for file in done.truth.files] == [tmp_path] * len(done.truth)
    whole = half.take([i for i, file in enumerate(files) if file in gone])
    with pytest.raises(WorkbenchError, match=f"^The folder of {len(whole)} images is not there: "):
        finish(evaluate_run(run[0], whole, None))


def test_of_many_damaged_images_five_are_named_and_the_others_counted(
    run: tuple[Predictor, Path], truth: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = truth.take([0] * 9)
    bad = [tmp_path / f"bad{number}.jpg" for number in range(8)]
    for file in bad:
        file.write_bytes(b"no image")
    done = show_evaluation(evaluate_run(run[0], replace(many, files=(*bad, many.files[8])), None), quiet=True)
    told = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert (done.skipped, len(told)) == (8, 6)
    assert "bad4.jpg" in told[4]
    assert "left out: 3 more. `workbench check` lists them all." in told[5]


def test_another_checkpoint_has_candidates_of_its_own(run: tuple[Predictor, Path], truth: Snapshot) -> None:
    predictor, folder = run
    finish(evaluate_run(predictor, truth, None, folder))
    other = folder / "last.safetensors"
    other.write_bytes((folder / "best.safetensors").read_bytes() + b"\0")
    assert kept(folder, other, truth) == []


def test_a_damaged_cache_is_only_slower(run: tuple[Predictor, Path], truth: Snapshot) -> None:
    predictor, folder = run
    first, _ = finish(evaluate_run(predictor, truth, None, folder))
    (kept,) = (folder / "candidates").glob("*.npz")
    data = kept.read_bytes()
    for damage in (b"", b"x" * 100, data[: len(data) // 2]):
        kept.write_bytes(damage)
        again, _ = finish(evaluate_run(predictor, truth, None, folder))
        assert again.evaluation.ap == first.evaluation.ap


def test_labels_are_matched_by_name_and_not_by_place(run: tuple[Predictor, Path], truth: Snapshot) -> None:
    done, _ = finish(evaluate_run(run[0], truth, None))
    plain = run[0].candidates([images.read(file) for file in truth.files])[0]
    ours = [truth.labels[i].name for i in done.candidates[0].labels]
    assert ours == [run[0].labels[i] for i in plain.labels]


def test_a_label_that_the_project_lacks_is_left_out() -> None:
    two = Candidates.of_arrays(np.zeros((2, 4)), np.array([0.9, 0.8]), np.array([0, 1]))
    assert scoring.with_project_labels(two, np.array([-1, 5])).labels.tolist() == [5]


def test_labels_in_other_capitals_are_the_same_unless_one_is_written_so(photographs: list[Path]) -> None:
    truth = snapshot_of(photographs[:1], [[]], ["person", "Car", "car"])
    assert scoring.label_columns(["Person", "car", "CAR", "dog"], truth).tolist() == [0, 2, 1, -1]


def test_names_that_are_alike_are_the_same_here_as_for_suggestions(photographs: list[Path]) -> None:
    truth = snapshot_of(photographs[:1], [[]], ["tvmonitor", "potted plant", "car"])
    assert scoring.label_columns(["TV monitor", "potted_plant", "car-t"], truth).tolist() == [0, 1, -1]


def test_a_run_knows_labels_by_the_names_that_they_had_when_it_was_trained(photographs: list[Path]) -> None:
    """Of a run from before they were renamed or merged all their boxes counted as missed, without a word."""
    truth = snapshot_of(photographs[:1], [[]], ["Person", "car", "dog"])
    truth = replace(
        truth, former_names=(FormerName("human", "Person"), FormerName("van", "car"), FormerName("dog", "Person"))
    )
    assert scoring.label_columns(["human", "van", "car", "dog", "cat"], truth).tolist() == [0, 1, 1, 2, -1]
    assert truth.take([0]).former_names == truth.former_names
    truth = replace(truth, former_names=(FormerName("bus", "gone"), FormerName("tram", "gone", 9)))
    assert scoring.label_columns(["bus", "tram", "dog"], truth, [Label(9, "tram")]).tolist() == [-1, -1, 2]


def test_labels_that_the_detector_does_not_know_are_told(run: tuple[Predictor, Path], photographs: list[Path]) -> None:
    one, two = ("ship", [1.0, 1, 9, 9], False), ("cat", [1.0, 1, 9, 9], False)
    truth = snapshot_of(photographs[:2], [[one, two], [one]], ["cat", "ship", "plane"])
    done, _ = finish(evaluate_run(run[0], truth, None))
    assert "The detector doesn't know ship: all 2 boxes of it count as missed, which lowers AP." in done.remark
    truth = replace(truth, former_names=(FormerName("Hündin", "ship"),))
    assert "doesn't know" not in finish(evaluate_run(run[0], truth, None))[0].remark


def test_labels_that_swapped_names_since_the_training_are_told_apart_by_their_ids(
    run: tuple[Predictor, Path], truth: Snapshot
) -> None:
    predictor, _ = run
    assert predictor.header is not None
    cat, dog, bird = predictor.header.labels
    truth = replace(truth, labels=(replace(bird, position=0), replace(cat, position=1), replace(dog, position=2)))
    before, _ = finish(evaluate_run(predictor, truth, None))
    labels = [found.labels.tolist() for found in before.candidates]
    assert {1, 2} < set(labels[0])
    swapped = (truth.labels[0], replace(truth.labels[1], name="Hündin"), replace(truth.labels[2], name="cat"))
    former = (FormerName("cat", "Hündin", cat.id), FormerName("Hündin", "cat", dog.id))
    after, _ = finish(evaluate_run(predictor, replace(truth, labels=swapped, former_names=former), None))
    assert after.evaluation.labels == ("鳥", "Hündin", "cat")
    assert [found.labels.tolist() for found in after.candidates] == labels
    assert predictor.labels == ("Hündin", "cat", "鳥"), "what is found is called by these names"


def test_a_label_is_not_taken_for_a_later_one_that_had_or_has_its_name(
    run: tuple[Predictor, Path], truth: Snapshot
) -> None:
    """'cat' became 'ship', and then another label was called so for a while; 'Hündin' was merged, and is a new one."""
    predictor, _ = run
    assert predictor.header is not None
    cat, dog, bird = predictor.header.labels
    truth = replace(truth, labels=(replace(bird, position=0), replace(cat, position=1), replace(dog, position=2)))
    before, _ = finish(evaluate_run(predictor, truth, None))
    names = {cat.id: "ship", dog.id: "dog", bird.id: bird.name}
    labels = tuple(replace(label, name=names[label.id]) for label in truth.labels)
    labels += (Label(90, "Katze", position=3), Label(91, "Hündin", position=4))
    former = (FormerName("cat", "ship", cat.id), FormerName("cat", "Katze"), FormerName("Hündin", "dog", dog.id))
    after, _ = finish(evaluate_run(predictor, replace(truth, labels=labels, former_names=former), None))
    assert [one.labels.tolist() for one in after.candidates] == [one.labels.tolist() for one in before.candidates]


def test_no_label_in_common_is_said(run: tuple[Predictor, Path], photographs: list[Path]) -> None:
    with pytest.raises(WorkbenchError, match="none in common"):
        list(evaluate_run(run[0], snapshot_of(photographs, [[]] * len(photographs), ["ship"]), None))


@pytest.mark.parametrize(
    ("names", "told"),
    [([], "(none)"), (["a", "b", "c"], "a, b, c"), (["a", "b", "c", "d"], "a, b, c ...")],
)
def test_three_labels_tell_which_do_not_fit(photographs: list[Path], names: list[str], told: str) -> None:
    truth = snapshot_of(photographs, [[]] * len(photographs), ["ship"])
    with pytest.raises(WorkbenchError) as refused:
        scoring.label_columns(names, truth)
    assert f"knows the labels {told}, the project ship: none in common." in refused.value.sentence


def test_an_empty_split_is_said(run: tuple[Predictor, Path], truth: Snapshot) -> None:
    with pytest.raises(WorkbenchError, match="no image in the split 'test'"):
        list(evaluate_run(run[0], truth, Split.TEST))


def test_a_broken_picture_is_reported_and_left_out(run: tuple[Predictor, Path], truth: Snapshot) -> None:
    truth.files[3].write_bytes(b"broken")
    done, seen = finish(evaluate_run(run[0], truth, None, run[1]))
    assert [event.name for event in seen if isinstance(event, Skipped)] == [truth.files[3].name]
    assert (done.skipped, len(done.truth), len(done.candidates)) == (1, len(truth) - 1, len(truth) - 1)


def test_of_batches_that_become_smaller_as_memory_runs_out_no_image_is_left_out(
    run: tuple[Predictor, Path], truth: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, folder = run
    best = predictor.best

    def full(squares: np.ndarray) -> Any:
        if len(squares) > 1:
            raise torch.OutOfMemoryError
        return best(squares)

    monkeypatch.setattr(predictor, "batch", 2)
    monkeypatch.setattr(predictor, "best", full)
    done, _ = finish(evaluate_run(predictor, truth, None, folder))
    assert (done.skipped, len(done.truth), len(done.candidates)) == (0, len(truth), len(truth))


def test_the_next_images_are_decoded_while_the_network_looks_at_some(
    run: tuple[Predictor, Path], truth: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graphics card waited for one image after the other."""
    predictor, begun, best, read = run[0], threading.Semaphore(0), run[0].best, images.read
    more = iter((2, 1, 0))  # whose reading must have begun: of the first and the second, then the third

    def counted(*given: Any) -> np.ndarray:
        begun.release()
        return read(*given)

    def looking(squares: np.ndarray) -> Any:
        assert all(begun.acquire(timeout=30) for _ in range(next(more)))
        return best(squares)

    monkeypatch.setattr(images, "read", counted)
    monkeypatch.setattr(predictor, "batch", 1)
    monkeypatch.setattr(predictor, "best", looking)
    done, _ = finish(evaluate_run(predictor, truth.take([0, 1, 2]), None))
    assert len(done.truth) == 3


def test_stopping_early_keeps_what_was_predicted(run: tuple[Predictor, Path], truth: Snapshot) -> None:
    predictor, folder = run
    predictor.batch = 2
    job = evaluate_run(predictor, truth, None, folder)
    for event in job:
        if isinstance(event, EvaluationProgress) and event.done == 2:
            break
    close(job)
    assert len(kept(folder, folder / "best.safetensors", truth)) == 2
    assert not list(folder.glob("evaluation*"))


def test_images_are_counted_while_they_are_looked_up_among_those_kept(
    run: tuple[Predictor, Path], truth: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading twenty thousand photographs takes minutes, without a sign and without a way to stop it."""
    monkeypatch.setattr(evaluate, "SAY_EVERY", -1.0)
    monkeypatch.setattr(run[0], "candidates", None)  # nothing is predicted yet
    job = evaluate_run(run[0], truth, None, run[1])
    assert [next(job) for _ in truth.files] == [ListingProgress(1 + number) for number in range(len(truth))]
    close(job)
    assert not (run[1] / "candidates").exists()


def test_boxes_are_thinned_out_as_published_unless_told_otherwise(run: tuple[Predictor, Path], truth: Snapshot) -> None:
    default, _ = finish(evaluate_run(run[0], truth, Split.VALIDATION, run[1]))
    kinds: dict[NmsKind, bool] = {"darknet diou": True, "per label": False}
    for kind, same in kinds.items():
        told, _ = finish(evaluate_run(run[0], truth, Split.VALIDATION, run[1], ScoringRules(kind=kind)))
        assert told.rules.kind == kind
        looks = [done.evaluation.matching for done in (default, told)]
        counts = [[one.counts(share / 1000).total for share in range(1, 1000)] for one in looks]
        assert (counts[0] == counts[1]) is same


def test_images_of_more_than_8_bits_are_read_as_in_training(
    run: tuple[Predictor, Path], truth: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the checkpoint's window, whatever the project says now."""
    predictor, seen = run[0], []
    monkeypatch.setattr(predictor, "window", IntensityWindow(10, 2000))
    reading = images.read
    monkeypatch.setattr(images, "read", lambda file, window=None: seen.append(window) or reading(file))
    finish(evaluate_run(predictor, replace(truth, window=IntensityWindow(0, 9)), None))
    assert seen == [IntensityWindow(10, 2000)] * len(truth)


def test_nothing_that_the_window_imports_at_its_start_loads_torch() -> None:
    code = (
        "import sys\n"
        "from workbench.inference import events, exporters\n"
        "from workbench.inference.evaluating import candidate_cache, scoring\n"
        "from workbench.inference.pictures import sources\n"
        "from workbench.inference.writing import draw\n"
        "exporters.load_all()\n"
        "assert 'torch' not in sys.modules"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
