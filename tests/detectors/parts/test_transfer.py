"""Weights of another training: what fits goes over, label by label, and what does not is said."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests import networks
from workbench import detectors
from workbench.detectors import DetectorSettings
from workbench.detectors.parts.detector import Detector
from workbench.detectors.parts.transfer import transfer

OLD, NEW = ("dog", "cat", "horse"), ("zebra", "Cat", "dog", "cow")
ALL = [name for name, _ in detectors.load_all() if name != "yolov1" and detectors.detectors.owner(name) == "built in"]


def settings(name: str, **changes: Any) -> DetectorSettings:
    return detectors.load_all().get(name).settings_class(**{"input_px": 64, "width": 0.1, **changes})


def build(name: str, labels: int, seed: int, anchors: Any = None, **changes: Any) -> Detector:
    return networks.build(name, settings(name, **changes), labels, anchors, seed)


@pytest.mark.parametrize("name", ALL)
def test_everything_but_the_rows_of_new_labels_goes_over(name: str) -> None:
    old, new, before = build(name, 3, 1), build(name, 4, 2), build(name, 4, 2)
    done = transfer(new, old.state_dict(), OLD, NEW)
    assert done.taken == done.total
    assert done.labels == ("Cat", "dog")
    assert (done.fresh, done.unused) == ((), 0)
    theirs, fresh, rows = old.state_dict(), before.state_dict(), new.label_rows()
    for key, tensor in new.state_dict().items():
        layer = key.rpartition(".")[0]
        if layer not in rows:
            assert torch.equal(tensor, theirs[key])
            continue
        how = rows[layer]
        inner = tensor[: len(tensor) - how.after].view(how.groups, how.before + 4, how.repeat, *tensor.shape[1:])
        source = theirs[key][: len(theirs[key]) - how.after]
        source = source.view(how.groups, how.before + 3, how.repeat, *tensor.shape[1:])
        start = fresh[key][: len(tensor) - how.after].view_as(inner)
        assert torch.equal(inner[:, : how.before], source[:, : how.before])
        assert torch.equal(inner[:, how.before + 1], source[:, how.before + 1])  # cat
        assert torch.equal(inner[:, how.before + 2], source[:, how.before + 0])  # dog
        assert torch.equal(inner[:, how.before + 0], start[:, how.before + 0])  # zebra
        assert torch.equal(inner[:, how.before + 3], start[:, how.before + 3])  # cow
        assert torch.equal(tensor[len(tensor) - how.after :], theirs[key][len(theirs[key]) - how.after :])


def test_rows_of_a_file_without_names_go_over_whole_or_without_labels() -> None:
    old, same, other = build("yolov4-tiny", 3, 1), build("yolov4-tiny", 3, 2), build("yolov4-tiny", 5, 2)
    assert transfer(same, old.state_dict(), None, OLD).labels == ()
    assert torch.equal(same.get_parameter("fine_out.weight"), old.get_parameter("fine_out.weight"))
    first = other.get_parameter("fine_out.weight").clone()
    transfer(other, old.state_dict(), None, ("a", "b", "c", "d", "e"))
    rows, source = other.get_parameter("fine_out.weight").view(3, 10, -1), old.get_parameter("fine_out.weight")
    assert torch.equal(rows[:, :5], source.view(3, 8, -1)[:, :5])
    assert torch.equal(rows[:, 5:], first.view(3, 10, -1)[:, 5:])


def test_what_does_not_fit_stays_fresh_and_is_named() -> None:
    wide, narrow = build("yolov4-tiny", 2, 1), build("yolov4-tiny", 2, 2)
    tensors = dict(wide.state_dict())
    tensors["neck.0.conv.weight"] = torch.zeros(3, 3, 3, 3)
    tensors["something.else"] = torch.zeros(2)
    del tensors["stem.0.conv.weight"]
    done = transfer(narrow, tensors, ("a", "b"), ("a", "b"))
    assert done.taken == done.total - 2
    assert done.fresh == ("stem.0", "neck.0")
    assert done.unused == 2
    assert "stem.0, neck.0 start fresh" in done.sentence
    assert "2 tensors of the file were not used" in done.sentence


def test_output_layers_of_another_number_of_anchors_stay_fresh() -> None:
    """8 rows for each of 3 anchors and 6 for each of 4 are both 24 rows: they mean other things."""
    six, eight = (tuple((8.0 * i, 8.0 * i) for i in range(1, count + 1)) for count in (6, 8))
    old, new = build("yolov3-tiny", 3, 1, six), build("yolov3-tiny", 1, 2, eight)
    before = {layer: new.get_parameter(f"{layer}.weight").clone() for layer in new.outs}
    done = transfer(new, old.state_dict(), ("a", "b", "c"), ("a",))
    assert (done.labels, done.taken) == ((), done.total - 4)
    assert all(layer in done.fresh for layer in new.outs)
    assert all(torch.equal(before[layer], new.get_parameter(f"{layer}.weight")) for layer in new.outs)


def test_output_layers_of_another_width_stay_fresh_as_a_whole() -> None:
    old, new = build("yolov3-tiny", 3, 1, width=0.5), build("yolov3-tiny", 3, 2, width=0.1)
    before = new.get_parameter(f"{new.outs[0]}.bias").clone()
    done = transfer(new, old.state_dict(), OLD, OLD)
    assert done.labels == ()
    assert set(new.outs) <= set(done.fresh)
    assert torch.equal(new.get_parameter(f"{new.outs[0]}.bias"), before)
