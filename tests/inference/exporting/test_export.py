"""Exports: each file finds what the program finds, the report says so, and failures leave nothing."""

from __future__ import annotations

import copy
import dataclasses
import errno
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.inference.conftest import ALL
from workbench import detectors
from workbench.core import images
from workbench.core.detections import Candidates, NmsKind
from workbench.core.nms import DIOU_POWERS, greedy_nms, overlaps
from workbench.core.tiling import Tiling
from workbench.errors import WorkbenchError
from workbench.inference import exporters
from workbench.inference.events import ExportDone, Exported, NotExported
from workbench.inference.exporters import Exporter, ExportSettings, Unsuitable, onnx_file
from workbench.inference.exporting import graph
from workbench.inference.exporting.export import DAY, STAGE, export_predictor, source_of
from workbench.inference.exporting.graph import agreement, compare
from workbench.inference.exporting.verification import make_samples
from workbench.inference.predict import Predictor
from workbench.registry import Registry


def test_the_registry_holds_the_six_formats() -> None:
    built_in = [name for name, _ in exporters.load_all() if exporters.exporters.owner(name) == "built in"]
    assert sorted(built_in) == sorted(ALL)


def test_formats_that_lack_a_package_or_can_not_hold_the_detector_are_told_when_all_are_asked_for(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = exporters.load_all().get("safetensors")
    few = Registry[type[Exporter]]("export format")
    few.register("lacking")(type("Lacking", (plain,), {"title": "Lacking", "needs": ("no_such_package",)}))
    few.register("unfit")(type("Unfit", (plain,), {"write": _refuses}))
    monkeypatch.setattr(exporters, "load_all", lambda: few)
    *_, done = export_predictor(predictor, tmp_path, None)
    assert isinstance(done, ExportDone)
    assert (done.results, done.failed) == ((), ())
    assert [(one.format, one.sentence.partition(".")[0]) for one in done.left_out] == [
        ("lacking", "Lacking needs no_such_package"), ("unfit", "It holds no such detector"),
    ]  # fmt: skip


def _refuses(*_: object) -> str:
    raise Unsuitable("It holds no such detector.")


def test_the_graph_finds_what_the_predictor_finds(predictor: Predictor, photographs: list[Path]) -> None:
    source = source_of(predictor, ExportSettings())
    for file, sample in zip(photographs, make_samples(predictor, photographs), strict=True):
        picture = images.read(file)
        found = predictor.candidates([picture])[0].detections(0.0, 0.45, "darknet diou")
        scale = np.array([160 / picture.shape[1], 160 / picture.shape[0]] * 2)
        theirs = ((found.boxes * scale).astype(np.float32), found.scores, found.labels)
        assert compare(source.graph, torch.from_numpy(sample.image), theirs, 0.3).holds


@pytest.mark.parametrize("kind", ["diou", "darknet diou"])
def test_nms_by_diou_inside_the_file_keeps_what_the_programs_keeps(kind: NmsKind) -> None:
    """On crowds, where a box is spared because the one that would remove it is removed, and so on."""
    rng = np.random.default_rng(0)
    spared = 0
    for count in (1, 40, 400, 1000):
        corner = rng.uniform(0, 60, (count, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(30, 60, (count, 2))], axis=1).astype(np.float32)
        labels = rng.integers(0, 2, count)
        for level in (0.2, 0.45, 0.7):
            pairs = overlaps(boxes, labels, kind, level)
            kept = np.flatnonzero(greedy_nms(pairs, count, level))
            power = DIOU_POWERS[kind]
            ours = graph.labelled_nms(torch.from_numpy(boxes), torch.from_numpy(labels), level, power)
            assert ours.tolist() == kept.tolist()
            spared += count - len(kept) < len(set(pairs.lower[pairs.value > level].tolist()))
    assert spared > 6


@pytest.mark.parametrize("label", [0, 1, 79, 600, 9417])
def test_nms_by_label_inside_the_file_is_exact_whatever_the_number_of_labels(label: int) -> None:
    """Moved apart by 9,417 times 833 pixels, corners would be known to half a pixel, and a tenth be kept otherwise.

    By 79 times that, in a row, of 500 boxes one or two that overlap as much as is allowed; in a square, none.
    """
    different = 0
    rng = np.random.default_rng(label)
    detector: Any = SimpleNamespace(settings=SimpleNamespace(input_px=416), label_count=label + 1)
    own = graph.EndToEnd(detector, 0.45)
    for _ in range(20):
        middle, size = rng.uniform(100, 130, (60, 2)), rng.uniform(8, 16, (60, 2))
        boxes = np.concatenate([middle - size / 2, middle + size / 2], axis=1).astype(np.float32)
        scores = -np.sort(-rng.uniform(0.1, 1, 60).astype(np.float32))
        labels = np.full(60, label, np.int32)
        labels[1::2] = max(label - 1, 0)
        ours = Candidates.of_arrays(boxes, scores, labels).detections(0.001, 0.45, "per label", 300)
        there, confidences, kinds = (torch.from_numpy(one)[None] for one in (boxes, scores, labels))
        theirs = own.after_nms(there, confidences, kinds, 832)[1]
        different += len(set(theirs.tolist()) ^ set(ours.scores.tolist()))
    assert different == 0


def test_the_overlap_is_as_published_unless_told_otherwise() -> None:
    torch.manual_seed(0)
    kind = detectors.load_all().get("fcos")
    fcos = Predictor(detectors.build("fcos", kind.settings_class(input_px=64, width=0.05), 3), ("a", "b", "c"), 64,
                     "letterbox", device="cpu")  # fmt: skip
    card = source_of(fcos, ExportSettings()).card
    assert (card.iou, card.nms_kind) == (0.6, "per label")
    assert source_of(fcos, ExportSettings(iou=0.3)).card.iou == 0.3


def test_a_format_that_fails_is_told_and_leaves_nothing_and_the_others_are_written(
    predictor: Predictor, photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one that writes other weights than the network's, and one that can't write at all, what was there stays."""
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.onnx").write_bytes(b"old")
    members = exporters.load_all()
    real = members.get("state-dict").write

    def shifted(self: object, source: exporters.Source, file: Path) -> str:
        with torch.no_grad():
            other = copy.deepcopy(source.detector)
            other.get_parameter("coarse_out.bias").add_(1)
        return real(self, dataclasses.replace(source, detector=other), file)  # type: ignore[arg-type]

    def failing(*_: object) -> str:
        raise RuntimeError("no such operation")

    monkeypatch.setattr(members.get("state-dict"), "write", shifted)
    monkeypatch.setattr(members.get("onnx"), "write", failing)
    wanted = ["state-dict", "onnx", "safetensors"]
    events = list(export_predictor(predictor, tmp_path, wanted, photographs[:1]))
    done = events[-1]
    assert isinstance(done, ExportDone)
    assert [one.format for one in done.results] == ["safetensors"]
    assert [one.format for one in done.failed] == ["state-dict", "onnx"]
    assert [event for event in events if isinstance(event, NotExported)] == list(done.failed)
    assert "does not find the same as this program" in done.failed[0].sentence
    assert "failed: no such operation" in done.failed[1].sentence
    assert (tmp_path / "onnx" / "model.onnx").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["onnx", "safetensors"]
    assert [path.name for path in (tmp_path / "onnx").iterdir()] == ["model.onnx"]


def test_what_a_killed_export_left_is_removed_a_day_later(predictor: Predictor, tmp_path: Path) -> None:
    """Hidden folders with a network in each stayed beside the run's files for ever."""
    old, new, other = (tmp_path / f"{name}ab12" for name in (STAGE, f"{STAGE}2", ".export-"))
    for folder in (old, new, other):
        folder.mkdir()
        (folder / "model.onnx").write_bytes(b"half")
    for folder in (old, other):
        os.utime(folder, (time.time() - 1.1 * DAY,) * 2)
    list(export_predictor(predictor, tmp_path, ["safetensors"]))
    assert not old.exists()
    assert new.exists(), "another export may be at work"
    assert other.exists(), "not ours"


def test_a_missing_package_is_said_before_anything_is_written(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporters.load_all().get("onnx"), "needs", ("no_such_package", "nor", "such"))
    with pytest.raises(WorkbenchError, match=r"needs no_such_package, nor, such\..*\[export\]"):
        list(export_predictor(predictor, tmp_path / "out", ["onnx"]))
    assert not (tmp_path / "out").exists()


def test_an_unknown_format_suggests_the_nearest(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="Did you mean 'onnx'"):
        list(export_predictor(predictor, tmp_path, ["onx"]))


def test_without_pictures_the_check_uses_noise_and_says_so(predictor: Predictor, tmp_path: Path) -> None:
    events = list(export_predictor(predictor, tmp_path, ["safetensors"], [tmp_path / "gone.jpg"]))
    result = events[-2]
    assert isinstance(result, Exported)
    assert result.checked_images == 0
    assert "noise" in result.remark


def test_when_the_new_onnx_exporter_fails_the_old_one_writes(
    predictor: Predictor,
    photographs: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing(*_: object) -> None:
        print("x" * 1_000_000)
        raise RuntimeError("could not guard on a data-dependent size")

    monkeypatch.setattr(onnx_file, "_new_exporter", failing)
    events = list(export_predictor(predictor, tmp_path, ["onnx"], photographs[:2]))
    result = events[-2]
    assert isinstance(result, Exported)
    assert "old one" in result.remark
    assert result.agreement is not None
    assert result.agreement.holds
    assert len(capsys.readouterr().out) < 1000


ONE = (np.array([[0, 0, 10, 10]], np.float32), np.array([0.9], np.float32), np.array([1]))


@pytest.mark.parametrize(
    ("boxes", "scores", "labels", "holds"),
    [
        ([[0, 0, 10, 10]], [0.9], [1], True),
        ([[0, 0, 10, 9.9]], [0.905], [1], True),
        ([[0, 0, 10, 9]], [0.9], [1], False),  # IoU 0.9
        ([[0, 0, 10, 10]], [0.85], [1], False),
        ([[0, 0, 10, 10]], [0.9], [2], False),
        ([[0, 0, 10, 10], [50, 50, 60, 60]], [0.9, 0.95], [1, 1], False),  # one too many
        (np.zeros((0, 4)), [], [], False),
    ],
)
def test_agreement_by_hand(boxes: list[list[float]], scores: list[float], labels: list[int], holds: bool) -> None:
    other = (np.asarray(boxes, np.float32), np.asarray(scores, np.float32), np.asarray(labels, np.int64))
    assert agreement(ONE, ONE, other, 0.25).holds is holds


def test_equal_scores_in_another_order_agree() -> None:
    two = (np.array([[0, 0, 10, 10], [50, 50, 60, 60]], np.float32), np.array([1, 1], np.float32), np.array([0, 1]))
    assert agreement(two, two, tuple(array[::-1] for array in two), 0.25).holds


def test_either_of_two_nearly_equal_candidates_may_be_kept() -> None:
    many = np.arange(20)[:, None] * np.array([[100.0, 0, 100, 0]]) + np.array([[0.0, 0, 10, 10]])
    ours = (many.astype(np.float32), np.full(20, 0.9, np.float32), np.zeros(20, int))
    near = np.add(many[:1], [0, 0, 0, 2]).astype(np.float32)  # IoU 10 / 12 with the first
    pool = (np.concatenate([ours[0], near]), np.full(21, 0.9, np.float32), np.zeros(21, int))
    theirs = (np.concatenate([near, ours[0][1:]]), *ours[1:])
    assert agreement(ours, pool, theirs, 0.25).holds
    assert not agreement(ours, ours, theirs, 0.25).holds


def test_a_plugin_s_format_that_returns_no_remark_has_none(
    predictor: Predictor, photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member: Any = exporters.load_all().get("safetensors")
    plain = member.write
    monkeypatch.setattr(member, "write", lambda *given: None if plain(*given) == "" else 1)
    *_, done = export_predictor(predictor, tmp_path, ["safetensors"], photographs[:1])
    assert isinstance(done, ExportDone)
    assert [result.remark for result in done.results] == [
        "It was checked on 1 image only, as there were no more; 8 would tell more."
    ]


@pytest.mark.parametrize(("tiling", "note"), [(Tiling(640), "larger than 640 px into tiles"), (None, "")])
def test_that_a_file_needs_tiles_is_told(
    predictor: Predictor,
    photographs: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiling: Tiling | None,
    note: str,
) -> None:
    """Seen only as a whole, nothing small is found in large photographs, whatever AP was measured."""
    monkeypatch.setattr(predictor, "tiling", tiling)
    *_, done = export_predictor(predictor, tmp_path, ["safetensors"], photographs[:1])
    assert isinstance(done, ExportDone)
    assert note in done.note
    assert bool(done.note) == bool(note)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), "the disk is full"),
        (OSError(errno.ENOSPC, "in another language"), "the disk is full. Make room and try again"),
        (OSError(errno.EDQUOT, "as the system says"), "your disk quota is used up. Make room and try again"),
    ],
)
def test_a_full_disk_is_said_to_be_full_and_not_the_format_s_fault(
    error: Exception, reason: str, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise error

    monkeypatch.setattr(exporters.load_all().get("safetensors"), "write", full)
    *_, done = export_predictor(predictor, tmp_path / "out", ["safetensors"])
    assert isinstance(done, ExportDone)
    assert done.failed[0].sentence.startswith(f"{tmp_path / 'out'} can't be written to: {reason}")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
@pytest.mark.parametrize("format", ["state-dict", "torchscript", "pt2"])
def test_a_disk_that_is_full_for_pytorch_is_an_ordinary_error(predictor: Predictor, format: str) -> None:
    """PyTorch ended the whole process (exit code 134), and with it a window that was training, or named no disk."""
    member = exporters.load_all().get(format)()
    with pytest.raises(OSError, match="No space left on device"):
        member.write(source_of(predictor, ExportSettings()), Path("/dev/full"))


def test_a_pytorch_2_export_can_be_moved_to_another_device_as_the_help_says(predictor: Predictor) -> None:
    from torch.export.passes import move_to_device_pass

    source = source_of(predictor, ExportSettings(output="decoded"))
    moved = move_to_device_pass(source.program, "meta").module()
    assert {array.device.type for array in moved(source.example.to("meta"))} == {"meta"}
