"""What is not the network's file is refused: another order, another size, damage; and what may vary is verified."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from tests.inference.test_export_of_every_detector import predictor as small
from workbench.core.detections import Kind
from workbench.core.nms import overlaps, walk
from workbench.inference import exporters, graph, runtimes
from workbench.inference.checked_images import chosen
from workbench.inference.events import Agreement, ExportDone
from workbench.inference.export import export_predictor, source_of
from workbench.inference.exporters import Card, ExportSettings, Source, Unsuitable
from workbench.inference.predict import Predictor
from workbench.inference.runtimes import Apart, NotRunnable
from workbench.inference.verification import Differs, Sample, samples_of, verify

Exported = tuple[Path, list[object]]


@pytest.fixture(scope="module")
def source(checkpoint: Path) -> Source:
    return source_of(Predictor.open(checkpoint, device="cpu"), ExportSettings(licence="CC-BY-4.0"))


@pytest.fixture(scope="module")
def samples(predictor: Predictor, photographs: list[Path]) -> list[Sample]:
    return samples_of(predictor, photographs[:2])


def refused(name: str, file: Path, source: Source, samples: list[Sample]) -> str:
    with pytest.raises(Differs) as told:
        verify(name, exporters.load_all().get(name)(), file, source, samples)
    assert "not kept" in told.value.sentence
    return told.value.sentence


def with_card(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Write a .safetensors anew whose description of itself is another one."""
    with safe_open(file, framework="np") as opened:
        weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        metadata = opened.metadata()
    about = json.loads(metadata["model.json"])
    change(about)
    save_file(weights, file, metadata={**metadata, "model.json": json.dumps(about)})


def with_weights(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    with safe_open(file, framework="np") as opened:
        weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        metadata = opened.metadata()
    change(weights)
    save_file(weights, file, metadata=metadata)


def swap_labels(weights: dict[str, Any]) -> None:
    """The rows of the first and the last label of the first output change places, for each anchor."""
    rows = weights["coarse_out.weight"].reshape(3, 8, -1).copy()
    rows[:, [5, 7]] = rows[:, [7, 5]]
    weights["coarse_out.weight"] = rows.reshape(weights["coarse_out.weight"].shape)


@pytest.fixture
def copy(exported: Exported, tmp_path: Path) -> Path:
    return Path(shutil.copy(exported[0] / "safetensors" / "model.safetensors", tmp_path))


def test_the_file_as_it_was_written_is_taken(copy: Path, source: Source, samples: list[Sample]) -> None:
    verified = verify("safetensors", exporters.load_all().get("safetensors")(), copy, source, samples)
    assert verified.agreement is not None
    assert verified.agreement.holds


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda about: about["labels"].reverse(), "says 'labels' is"),
        (lambda about: about["anchors"].reverse(), "says 'anchors' is"),
        (lambda about: about.update(input_px=192), "says 'input_px' is 192 where the network has 160"),
        (lambda about: about.pop("resize"), "says 'resize' is null where the network has \"stretch\""),
        (lambda about: about["operating_point"].update(nms="per label"), "says 'operating_point' is"),
    ],
)
def test_a_description_in_another_order_or_of_another_size_is_refused(
    change: Callable[[dict[str, Any]], object], said: str, copy: Path, source: Source, samples: list[Sample]
) -> None:
    with_card(copy, change)
    assert said in refused("safetensors", copy, source, samples)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (swap_labels, "does not find the same"),
        (lambda weights: weights["fine_out.bias"].fill(0), "does not find the same"),
        (lambda weights: weights.pop("fine_out.bias"), "such as 'fine_out.bias'"),
        (lambda weights: weights.update({"fine_out.bias": np.zeros(5, np.float32)}), "such as 'fine_out.bias'"),
        (lambda weights: weights["fine_out.bias"].fill(np.nan), "does not find the same"),
    ],
)
def test_weights_in_another_order_or_of_another_size_are_refused(
    change: Callable[[dict[str, Any]], object], said: str, copy: Path, source: Source, samples: list[Sample]
) -> None:
    with_weights(copy, change)
    assert said in refused("safetensors", copy, source, samples)


@pytest.mark.parametrize("name", ["onnx", "safetensors", "darknet", "torchscript"])
def test_a_file_that_was_cut_short_is_refused(
    name: str, exported: Exported, source: Source, samples: list[Sample], tmp_path: Path
) -> None:
    whole = next((exported[0] / name).glob("model.[!j]*"))
    file = tmp_path / whole.name
    file.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert "can't be run" in refused(name, file, source, samples)


def test_an_onnx_file_whose_labels_are_in_another_order_inside_is_refused(
    exported: Exported, source: Source, samples: list[Sample], tmp_path: Path
) -> None:
    import onnx

    model = onnx.load(str(exported[0] / "onnx" / "model.onnx"))
    [entry] = [one for one in model.metadata_props if one.key == "model.json"]
    entry.value = entry.value.replace("cat", "CAT")
    onnx.save(model, str(tmp_path / "model.onnx"))
    assert "says 'labels' is [\"CAT\"" in refused("onnx", tmp_path / "model.onnx", source, samples)


def test_a_network_that_finds_nothing_at_all_is_not_called_verified(
    exported: Exported, source: Source, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing agrees with nothing."""
    monkeypatch.setattr(graph, "compare", lambda *_: Agreement(0, 0))
    file = exported[0] / "safetensors" / "model.safetensors"
    with pytest.raises(Differs, match="finds nothing on 1 image, not even"):
        verify("safetensors", exporters.load_all().get("safetensors")(), file, source, samples[:1])


def test_darknets_file_of_another_order_is_refused(
    exported: Exported, source: Source, samples: list[Sample], tmp_path: Path
) -> None:
    """It names nothing: only what it finds tells."""
    numbers = np.fromfile(exported[0] / "darknet" / "model.weights", np.uint8)
    body = numbers[20:].view(np.float32).copy()
    body[:200] = body[:200][::-1]
    (tmp_path / "model.weights").write_bytes(numbers[:20].tobytes() + body.tobytes())
    assert "does not find the same" in refused("darknet", tmp_path / "model.weights", source, samples)


def test_the_process_that_runs_a_file_knows_nothing_of_this_program(exported: Exported, tmp_path: Path) -> None:
    """Every kind has an opener, and what a file's library says reaches the sentence."""
    with pytest.raises(NotRunnable, match="FileNotFoundError"):
        Apart("safetensors", tmp_path / "gone")
    with Apart("safetensors", exported[0] / "safetensors" / "model.safetensors") as apart:
        assert not apart.runs
        assert set(apart.versions) == {"python", "safetensors"}
        apart._process.kill()
        with pytest.raises(NotRunnable, match="ended with code"):
            apart.weights()
    assert apart._process.returncode is not None
    text = Path(runtimes.__file__).with_name("runtime_child.py").read_text("utf-8")
    assert 'sys.modules["workbench"] = None' in text
    assert "from workbench" not in text


def test_images_for_validation_come_first_and_others_only_where_they_are_few() -> None:
    files = [Path(str(i)) for i in range(12)]
    assert chosen(files, [i >= 3 for i in range(12)]) == files[3:]
    assert chosen(files, [i >= 10 for i in range(12)]) == [*files[10:], *files[:10]]


@pytest.mark.parametrize("kind", ["per label", "across labels", "darknet diou"])
def test_nms_of_a_batch_keeps_of_each_image_what_the_programs_keeps(kind: Kind) -> None:
    import torch

    rng = np.random.default_rng(1)
    corner = rng.uniform(0, 60, (2, 80, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(20, 50, (2, 80, 2))], axis=2).astype(np.float32)
    scores = -np.sort(-rng.random((2, 80)).astype(np.float32))
    labels = rng.integers(0, 2, (2, 80))
    batched = graph.Batched(torch.nn.Identity(), 0.45, kind, limit=30)  # type: ignore[arg-type]
    found = batched.thinned(*(torch.from_numpy(array) for array in (boxes, scores, labels)), 200)
    for image in range(2):
        kept = np.flatnonzero(walk(overlaps(boxes[image], labels[image], kind, 0.45), 80, 0.45))[:30]
        there = found[2][image] >= 0
        assert 5 < len(kept) == int(there.sum())
        assert np.array_equal(found[0][image][there].numpy(), boxes[image][kept])
        assert np.array_equal(found[1][image][there].numpy(), scores[image][kept])
        assert not found[1][image][~there].any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings", "shapes"),
    [
        ("yolov1-tiny", ExportSettings(batch=0), [(1, 64, 64), (2, 64, 64)]),
        (
            "yolov2-tiny",
            ExportSettings(output="raw", batch=0, size="dynamic"),
            [(1, 64, 64), (2, 64, 64), (2, 96, 32)],
        ),
    ],
)
def test_what_is_left_open_is_verified_at_two_values(
    name: str, settings: ExportSettings, shapes: list[tuple[int, int, int]], photographs: list[Path], tmp_path: Path
) -> None:
    *_, done = export_predictor(small(name, 64), tmp_path, ["onnx"], photographs[:2], settings)
    assert isinstance(done, ExportDone)
    assert not done.failed
    report = json.loads((tmp_path / "onnx" / "verification.json").read_text("utf-8"))
    assert [(one["batch"], one["height"], one["width"]) for one in report["shapes"]] == shapes
    for one in report["shapes"]:
        assert one["compared"] >= 10
        assert one["foreign"] == 0
        assert one["matched"] >= 0.9 * one["compared"], "of equal scores, of which there are many, NMS may keep any"


def test_what_a_detector_can_t_have_is_said(predictor: Predictor) -> None:
    with pytest.raises(Unsuitable, match="Faster R-CNN looks at each image's proposals in turn"):
        source_of(small("faster-rcnn", 128), ExportSettings(batch=0))
    with pytest.raises(Unsuitable, match="takes images of 64 pixels only"):
        source_of(small("yolov1-tiny", 64), ExportSettings(size="dynamic"))
    card: Card = source_of(predictor, ExportSettings(batch=0, size="dynamic"), flexible=False).card
    assert (card.batch, card.size) == (1, "fixed")
