"""Trainings begin from weights of other programs, and those are imported to detect with."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import resnet50
from torchvision.models.detection import ssdlite320_mobilenet_v3_large

from tests import networks
from tests.generators import close
from tests.training.toys import make_snapshot
from workbench import detectors
from workbench.core import images
from workbench.core.project import AnchorSet, Label
from workbench.detectors.parts import darknet
from workbench.detectors.parts.detector import Detector, Pretrained
from workbench.errors import Refused, WorkbenchError
from workbench.inference.predict import Predictor
from workbench.training import prepare, recipes
from workbench.training.checkpoints import checkpoint, published_weights, weights
from workbench.training.checkpoints.header import CheckpointHeader
from workbench.training.recipes import Recipe
from workbench.training.records import runs
from workbench.training.request import RunRequest


def build(name: str, labels: int, seed: int = 0, width: float = 0.1, **settings: Any) -> Detector:
    kind = detectors.load_all().get(name)
    return networks.build(name, kind.settings_class(input_px=64, width=width, **settings), labels, seed=seed)


def recipe(name: str, **settings: Any) -> Recipe:
    return recipes.default_recipe(name).changed(settings)


def test_a_training_begins_from_darknets_file_for_other_labels(tmp_path: Path) -> None:
    theirs, ours = build("yolov3-tiny", 80, 1), build("yolov3-tiny", 2, 2)
    darknet.write(theirs, tmp_path / "yolov3-tiny.weights")
    said = weights.start(ours, tmp_path / "yolov3-tiny.weights", ("cell", "platelet"))
    assert said.sentence.startswith("Begun from yolov3-tiny.weights: 59 of 59 tensors were taken over")
    assert torch.equal(ours.get_parameter("coarse.conv.weight"), theirs.get_parameter("coarse.conv.weight"))


def test_a_training_begins_from_the_first_part_of_a_network(tmp_path: Path) -> None:
    theirs, ours = build("yolov4", 80, 1), build("yolov4", 2, 2)
    darknet.write(theirs, tmp_path / "whole.weights")
    part = list(darknet.layers(theirs))[:72]  # the backbone
    size = 20 + 4 * sum(slot.numel() for layer in part for _, slot in darknet._slots(*layer))
    (tmp_path / "csdarknet53.conv.105").write_bytes((tmp_path / "whole.weights").read_bytes()[:size])
    said = weights.start(ours, tmp_path / "csdarknet53.conv.105", ("a", "b"))
    assert "tip.before" in said.sentence
    assert "start fresh" in said.sentence
    backbone = {n: p for n, p in theirs.named_parameters() if n.startswith("backbone")}
    assert all(torch.equal(p, ours.get_parameter(n)) for n, p in backbone.items())


@pytest.mark.parametrize(("labels", "seen"), [(("a", "b"), 12_345), (("a", "c"), 0)])
def test_the_images_behind_a_checkpoint_count_on_unless_a_label_is_new(
    tmp_path: Path, labels: tuple[str, ...], seen: int
) -> None:
    """YOLOv2's warm-up of its priors is of a head's first 12,800 images."""
    made = recipe("yolov2-tiny", input_px=64, width=0.1)
    theirs = build("yolov2-tiny", 2, 1)
    darknet.write(theirs, tmp_path / "a.weights", seen=12_345)
    weights.import_weights(tmp_path / "a.weights", made, ("a", "b"), tmp_path / "a.safetensors")
    ours = build("yolov2-tiny", 2, 2)
    weights.start(ours, tmp_path / "a.safetensors", labels)
    assert dict(ours.named_buffers())["head.seen"] == seen


def test_batch_norms_made_without_eps_keep_what_they_compute(tmp_path: Path) -> None:
    """torchvision's oldest files were made with 0 in place of 1e-5."""
    ours = build("faster-rcnn", 2)
    state = {n.removeprefix("net."): t.clone() for n, t in ours.state_dict().items() if "num_batches" not in n}
    variances = [name for name in state if name.endswith("running_var")]
    for name in variances:
        state[name] = torch.rand_like(state[name]) + 0.5
    torch.save(state, tmp_path / "old.pth")
    published_one = dataclasses.replace(ours.pretrained, labels=("__background__", "a", "b")[1:])
    type(ours).pretrained, before = published_one, type(ours).pretrained
    try:
        weights.start(ours, tmp_path / "old.pth", ("a", "b"))
    finally:
        type(ours).pretrained = before
    for name in variances:
        torch.testing.assert_close(ours.get_buffer(f"net.{name}") + 1e-5, state[name], rtol=1e-6, atol=1e-7)


def test_variances_of_nothing_go_over_too(tmp_path: Path) -> None:
    """A channel that was always the same: its variance is below what is added, so the scale takes the rest."""
    ours = build("faster-rcnn", 2)
    published_eps, name = ours.pretrained.norm_eps, "net.backbone.body.bn1"
    assert published_eps == 0.0
    tensors = {f"{name}.running_var": torch.tensor([1e-7, 1e-5, 0.5]), f"{name}.weight": torch.tensor([1.0, 2.0, 3.0])}
    expected = tensors[f"{name}.weight"] / tensors[f"{name}.running_var"].sqrt()
    weights._fit_norms(ours, tensors, published_eps)
    found = tensors[f"{name}.weight"] / (tensors[f"{name}.running_var"] + 1e-5).sqrt()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_ssdlites_norms_are_taken_as_they_are(tmp_path: Path) -> None:
    """torchvision made and trains them with 0.001, and so are ours."""
    torch.manual_seed(1)
    theirs = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=91)
    for name, buffer in theirs.named_buffers():
        if name.endswith("running_var"):
            buffer.copy_(torch.rand_like(buffer) * 0.01)
    torch.save(theirs.state_dict(), tmp_path / "ssdlite.pth")
    ours = build("ssdlite", 2, width=1.0)
    weights.start(ours, tmp_path / "ssdlite.pth", ("a", "b"))
    for name, buffer in theirs.backbone.named_buffers():
        assert torch.equal(ours.get_buffer(f"net.backbone.{name}"), buffer), name


def test_a_published_file_goes_over_label_by_label(tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=91)
    torch.save(theirs.state_dict(), tmp_path / "ssdlite.pth")
    ours = build("ssdlite", 2, width=1.0)
    said = weights.start(ours, tmp_path / "ssdlite.pth", ("Person", "blood cell"))
    assert "including what is known of Person" in said.sentence
    layer = "head.classification_head.module_list.0.1.bias"
    rows, source = ours.get_parameter(f"net.{layer}").view(6, 3), theirs.get_parameter(layer).view(6, 91)
    assert torch.equal(rows[:, :2], source[:, :2])


def test_a_backbone_alone_finds_its_place(tmp_path: Path) -> None:
    theirs = resnet50(weights=None)
    torch.save(theirs.state_dict(), tmp_path / "resnet50.pth")
    ours = build("fcos", 2, width=1.0)
    said = weights.start(ours, tmp_path / "resnet50.pth", ("a", "b"))
    assert torch.equal(ours.get_parameter("net.backbone.body.layer1.0.conv1.weight"), theirs.layer1[0].conv1.weight)
    assert "2 tensors of the file were not used" in said.sentence  # its classifier


@pytest.mark.parametrize("name", ["retinanet", "fcos", "faster-rcnn"])
def test_the_published_files_names_which_are_older_than_the_networks_are_understood(name: str, tmp_path: Path) -> None:
    """torchvision itself, asked first, reads the file made here."""
    theirs, ours = build(name, 2, 1), build(name, 2, 2)
    older = networks.older_names(theirs.get_submodule("net").state_dict())
    assert any(f"net.{one}" not in ours.state_dict() for one in older)
    build(name, 2, 3).get_submodule("net").load_state_dict(dict(older))
    torch.save(older, tmp_path / "older.pth")
    weights.start(ours, tmp_path / "older.pth", ("a", "b"))
    for one, parameter in theirs.named_parameters():
        if not one.startswith(ours.outs):  # which know the file's labels
            torch.testing.assert_close(ours.get_parameter(one), parameter, rtol=1e-6, atol=0)


def test_norms_that_stay_as_they_were_in_the_file_are_spoken_of(tmp_path: Path) -> None:
    torch.save(build("fcos", 2).state_dict(), tmp_path / "own.pth")
    for frozen in (False, True):
        said = weights.start(build("fcos", 2, frozen_norms=frozen), tmp_path / "own.pth", ("a", "b"))
        assert ("frozen_norms" in said.sentence) == frozen


@pytest.mark.parametrize("kind", ["missing.pth", "damaged.pth", "list.pth", "foreign.pth", "missing.safetensors"])
def test_files_that_hold_no_weights_for_it_are_refused(kind: str, tmp_path: Path) -> None:
    file = tmp_path / kind
    if kind == "damaged.pth":
        file.write_bytes(b"PK\3\4 and then nothing")
    elif kind == "list.pth":
        torch.save([1, 2], file)
    elif kind == "foreign.pth":
        torch.save({"some.weight": torch.zeros(3)}, file)
    with pytest.raises(Refused):
        weights.start(build("ssdlite", 2), file, ("a", "b"))


def test_a_pickle_that_would_run_code_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(Refused, match="would run code"):
        weights.start(build("ssdlite", 2), tmp_path / "evil.pth", ("a", "b"))
    assert not (tmp_path / "ran").exists()


def test_imported_weights_are_a_run_that_predicts_as_the_network_does(tmp_path: Path, test_data: Path) -> None:
    torch.manual_seed(1)
    made = recipe("yolov4-tiny", input_px=96, width=0.1)
    kind = detectors.load_all().get("yolov4-tiny")
    network = detectors.build("yolov4-tiny", made.detector_settings, 3, kind.published_anchors)
    darknet.write(network, tmp_path / "a.weights", seen=7)
    folder = weights.import_run(tmp_path / "a.weights", made, ("x", "y", "z"), tmp_path / "runs")
    (run,) = runs.runs(tmp_path / "runs")
    assert (run.name, run.state, run.detector) == ("yolov4-tiny-imported-1", "finished", "yolov4-tiny")
    assert not run.resumable
    opened = Predictor.open(folder / "best.safetensors", device="cpu")
    assert opened.labels == ("x", "y", "z")
    picture = images.read(test_data / "images" / "dog.jpg")
    plain = Predictor(network, ("x", "y", "z"), 96, "stretch", device="cpu")
    theirs, ours = plain.candidates([picture])[0], opened.candidates([picture])[0]
    assert (theirs.scores == ours.scores).all()
    assert (theirs.boxes == ours.boxes).all()


def test_an_import_that_fails_leaves_no_run(tmp_path: Path) -> None:
    darknet.write(build("yolov4-tiny", 4), tmp_path / "a.weights")
    with pytest.raises(Refused, match="It fits 4 labels"):
        weights.import_run(tmp_path / "a.weights", recipe("yolov4-tiny", width=0.1), ("x", "y"), tmp_path / "runs")
    assert runs.runs(tmp_path / "runs") == ()
    assert list((tmp_path / "runs").iterdir()) == []


def test_names_are_read_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "a.names"
    file.write_bytes("\ufeffred cell\r\n\r\nPlättchen\n".encode())
    assert weights.read_names(file) == ("red cell", "Plättchen")
    file.write_text("\n")
    with pytest.raises(Refused):
        weights.read_names(file)


# --- downloads, from this very machine ---


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


class Server(HTTPServer):
    def handle_error(self, *_: object) -> None: ...  # who asked has gone: that is one of the tests


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serves a folder; its address."""
    folder = tmp_path / "served"
    folder.mkdir()
    with Server(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()
        thread.join()


def test_a_download_is_checked_and_kept(server: str, tmp_path: Path) -> None:
    import hashlib

    data = bytes(range(256)) * 10_000
    name = f"some-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    (tmp_path / "served" / name).write_bytes(data)
    one = Pretrained(f"{server}/{name}", 2.6, "here", "none", ("a",))
    events = list(published_weights.download(one))
    assert events[-1].done == events[-1].total == len(data)
    assert published_weights.kept_file(one).read_bytes() == data


def test_a_file_with_a_wrong_check_sum_is_not_kept(server: str, tmp_path: Path) -> None:
    (tmp_path / "served" / "some-00000000.pth").write_bytes(b"what")
    one = Pretrained(f"{server}/some-00000000.pth", 2.6, "here", "none", ("a",))
    with pytest.raises(WorkbenchError, match="checksum"):
        list(published_weights.download(one))
    assert not list(published_weights.kept_file(one).parent.iterdir())


def test_without_a_network_a_sentence_says_where_to_put_the_file(server: str) -> None:
    for url in (f"{server}/missing-12345678.pth", "http://127.0.0.1:9/x-12345678.pth"):
        one = Pretrained(url, 1.0, "here", "none", ("a",))
        with pytest.raises(WorkbenchError, match="copy the file") as told:
            list(published_weights.download(one))
        assert "Errno" not in told.value.sentence


def test_a_cache_that_can_not_be_written_is_told(server: str, tmp_path: Path) -> None:
    """It was an error of the program."""
    (tmp_path / "served" / "some-00000000.pth").write_bytes(b"what")
    one = Pretrained(f"{server}/some-00000000.pth", 2.6, "here", "none", ("a",))
    folder = published_weights.kept_file(one).parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file in the folder's place")
    with pytest.raises(WorkbenchError, match="could not be written"):
        list(published_weights.download(one))


def test_a_download_that_is_given_up_leaves_nothing(server: str, tmp_path: Path) -> None:
    (tmp_path / "served" / "some-00000000.pth").write_bytes(bytes(5_000_000))
    one = Pretrained(f"{server}/some-00000000.pth", 2.6, "here", "none", ("a",))
    going = published_weights.download(one)
    next(going)
    close(going)
    assert not list(published_weights.kept_file(one).parent.iterdir())


def test_begun_from_darknets_own_weights_their_anchors_stay_in_pixels_whatever_the_input_side(tmp_path: Path) -> None:
    """YOLOv4's file is for 608 px. What it says of a box means as large a one in a training at 64 px as imported."""
    made = recipe("yolov4-tiny-3l", input_px=64, width=0.1)
    darknet.write(build("yolov4-tiny-3l", 2, 1), tmp_path / "a.weights")
    weights.import_weights(tmp_path / "a.weights", made, ("a", "b"), tmp_path / "a.safetensors")
    images_ = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    imported = Predictor.open(tmp_path / "a.safetensors").detector.eval()
    for file in ("a.weights", "a.safetensors"):
        asked = RunRequest(tmp_path, make_snapshot(tmp_path, 1, 0), made, start=tmp_path / file)
        anchors = weights.own_anchors(asked)
        ours = prepare.build(made, 2, anchors).eval()
        said = weights.start(ours, tmp_path / file, ("a", "b"))
        with torch.no_grad():
            found, expected = (one.candidates(one(images_)).boxes for one in (ours, imported))
        torch.testing.assert_close(found, expected)
        assert "other anchors" not in said.sentence
    larger = made.changed({"input_px": 96})
    in_pixels = weights.own_anchors(dataclasses.replace(asked, recipe=larger))
    for same in (in_pixels, AnchorSet(imported.anchors, 64)):  # or as shares
        said = weights.start(prepare.build(larger, 2, same), tmp_path / "a.safetensors", ("a", "b"))
        assert "other anchors" not in said.sentence
    chosen = AnchorSet(((9.0, 9.0),) * 9, 64)
    said = weights.start(prepare.build(made, 2, chosen), tmp_path / "a.safetensors", ("a", "b"))
    assert said.sentence.endswith("It was trained with other anchors, so boxes start at other sizes than it learnt.")
    assert weights.own_anchors(dataclasses.replace(asked, anchors=chosen)) == chosen
    for other in (
        dataclasses.replace(asked, start=None),
        dataclasses.replace(asked, resume=True),
        dataclasses.replace(asked, start=tmp_path / "yolov4-tiny.conv.29"),
        dataclasses.replace(asked, recipe=recipe("yolov4", input_px=64, width=0.1)),
        dataclasses.replace(asked, recipe=recipe("ssd300"), start=tmp_path / "a.weights"),
    ):
        assert weights.own_anchors(other) is None


def test_anchors_of_fixed_shapes_but_another_size_are_told_too(tmp_path: Path) -> None:
    """A checkpoint from before there was the setting has the published size, and so has torchvision's file."""
    theirs, file = build("retinanet", 2, 1), tmp_path / "best.safetensors"
    for told, scale, other in (({}, 4.0, False), ({}, 2.0, True), ({"anchor_scale": 2.0}, 2.0, False)):
        labels = (Label(1, "a"), Label(2, "b", position=1))
        checkpoint.save_detector(
            file, theirs.state_dict(), CheckpointHeader("retinanet", told, labels, (), 64, "letterbox")
        )
        said = weights.start(build("retinanet", 2, anchor_scale=scale), file, ("a", "b"))
        assert ("trained with other anchors" in said.sentence) == other
    torch.save(theirs.get_submodule("net").state_dict(), tmp_path / "published.pth")
    for scale in (4.0, 2.0):
        said = weights.start(build("retinanet", 2, anchor_scale=scale), tmp_path / "published.pth", ("a", "b"))
        assert ("trained with other anchors" in said.sentence) == (scale != 4.0)
