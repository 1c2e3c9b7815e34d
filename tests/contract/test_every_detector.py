"""What holds for every detector, built in or from a plugin: the contract that training and inference rely on."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests import networks
from tests.plugins import cfgs
from tests.training.card import CARD, Card, There
from workbench import detectors, plugins
from workbench.detectors import DetectorSettings
from workbench.detectors.parts import counting
from workbench.detectors.parts.blocks import settle_norms
from workbench.detectors.parts.detector import Detector, Raw, Targets
from workbench.settings import rows
from workbench.training import validate
from workbench.training.hardware.machine import Precision
from workbench.training.hardware.runtime import Runtime
from workbench.training.settings import TrainingSettings
from workbench.training.step import Stepper

plugins.loaded()
NAMES = detectors.load_all().names()
FAMILY = "detectors"  # see conftest.py: `name` is each of them
FROM_CFG = "darknet-cfg"  # a shipped plugin, whose network is that of its cfg
PX = 64


def settings_of(name: str, px: int, width: float) -> DetectorSettings:
    kind = detectors.load_all().get(name).settings_class
    own = {"cfg": cfgs.everything(px)} if name == FROM_CFG else {}
    return kind(input_px=px, width=width, **own)


def build(name: str, labels: int = 3, px: int = PX, width: float = 0.1, seed: int = 0, **settings: Any) -> Detector:
    return networks.build(name, dataclasses.replace(settings_of(name, px, width), **settings), labels, seed=seed)


def images(count: int = 2, px: int = PX) -> Tensor:
    return torch.rand(count, 3, px, px, generator=torch.Generator().manual_seed(1))


def targets(*images: Sequence[tuple[float, ...]], ignore: tuple[tuple[int, int], ...] = ()) -> Targets:
    """One list of (x0, y0, x1, y1, label) per image, padded; `ignore`: (image, box)."""
    most = max(map(len, images))
    boxes, labels = torch.zeros(len(images), most, 4), torch.full((len(images), most), -1)
    flags = torch.zeros(len(images), most, dtype=torch.bool)
    for i, rows_ in enumerate(images):
        for m, (*box, label) in enumerate(rows_):
            boxes[i, m], labels[i, m] = torch.tensor(box), int(label)
    for i, m in ignore:
        flags[i, m] = True
    return Targets(boxes, labels, flags)


TWO = targets([(4, 6, 30, 40, 0), (40, 10, 60, 20, 2)], [(10, 10, 50, 60, 1)])
DIVISOR = (
    "What one image costs depends on the others in its batch. Average over images what each costs alone; or, where the"
    " paper divides by the positives of the whole batch, set shared_divisor = True and count them in positives()."
)
NOTHING = Targets(torch.zeros(2, 0, 4), torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 0, dtype=torch.bool))


def total(detector: Detector, raw: Raw, wanted: Targets) -> Tensor:
    return torch.stack(list(detector.loss(raw, wanted).values())).sum()


def test_it_says_what_it_is(name: str) -> None:
    kind = detectors.load_all().get(name)
    assert kind.name == name
    assert kind.title
    assert kind.summary.endswith("."), f"`summary` is no sentence: {kind.summary!r}"
    assert re.search(r"\b(19|20)\d\d\b", kind.paper), f"`paper` names no year: {kind.paper!r}"
    assert kind.published_resize in ("stretch", "letterbox")
    assert [row.name for row in rows(kind.settings_class) if not row.help.endswith(".")] == [], "help is no sentence"


def test_it_is_made_without_values_and_its_output_layers_hold_all_that_belongs_to_labels(name: str) -> None:
    """As the Train page counts weights and multiply-adds: __init__() and forward() under torch.device("meta").

    Detectors for three and for four labels differ in the layers that label_rows() names, of `outs`, and nowhere else.
    """
    with torch.device("meta"), networks.unfilled():
        three, four = (detectors.build(name, settings_of(name, PX, 0.1), labels) for labels in (3, 4))
    assert 0 < counting.parameters(three) < counting.multiply_adds(three)
    odd = {
        key.rpartition(".")[0]
        for (key, a), b in zip(three.state_dict().items(), four.state_dict().values(), strict=True)
        if a.shape != b.shape
    }
    assert odd == set(three.label_rows()) <= set(three.outs)
    for out in three.outs:
        assert three.get_parameter(f"{out}.weight").ndim > 1
    for layer, rows_ in three.label_rows().items():
        assert len(three.get_parameter(f"{layer}.weight")) == rows_.count(3)
        assert len(four.get_parameter(f"{layer}.weight")) == rows_.count(4)


def test_candidates_have_a_box_and_a_score_per_label(name: str) -> None:
    detector = build(name).eval()
    found = detector.candidates(detector(images()))
    assert found.scores.shape == (2, found.boxes.shape[1], 3)
    assert [*found.boxes.shape] in ([2, len(found.scores[0]), 4], [2, len(found.scores[0]), 3, 4])
    assert (found.boxes[..., 2:] >= found.boxes[..., :2]).all(), (
        "candidates() gives boxes whose sides are below 0: clamp them, or decode them by exp(), sigmoid() or relu()."
    )
    assert ((found.scores >= 0) & (found.scores <= 1)).all(), "candidates() gives scores outside 0..1."


def test_gradients_reach_every_parameter(name: str) -> None:
    detector = build(name, px=128)
    squares = [  # of all sizes, in the middle and in a corner, so that every level has some
        (low, low, low + side, low + side, side % 3) for side in range(6, 129, 6) for low in (0, 64 - side / 2)
    ]
    wanted = targets([(8, 8, 24, 28, 0), (40, 40, 120, 120, 1), (0, 60, 40, 100, 2)], squares)
    total(detector, detector(images(px=128)), wanted).backward()
    idle = [path for path, p in detector.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []


@pytest.mark.parametrize("empty", [NOTHING, targets([(0, 0, 0, 0, -1)], [(0, 0, 0, 0, -1)])], ids=["none", "padding"])
def test_images_without_boxes_train(name: str, empty: Targets) -> None:
    detector = build(name)
    loss = total(detector, detector(images()), empty)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in detector.parameters())


def test_every_term_is_a_scalar_and_averaged_over_images(name: str) -> None:
    detector = build(name).eval()
    if detector.samples:
        pytest.skip("its loss is that of a random part")
    twice = Targets(*(torch.cat([getattr(TWO, f)] * 2) for f in ("boxes", "labels", "ignore")))
    once_terms = detector.loss(detector(images()), TWO)
    twice_terms = detector.loss(detector(torch.cat([images()] * 2)), twice)
    assert once_terms.keys() >= {"box", "label"}, f"loss() gives {', '.join(once_terms)}; box and label are among them"
    for term, value in once_terms.items():
        assert value.shape == ()
        torch.testing.assert_close(value, twice_terms[term], rtol=1e-4, atol=1e-5)


def test_it_says_whether_its_loss_grows_with_the_number_of_boxes(name: str) -> None:
    detector = build(name, px=128).eval()
    if detector.samples:
        pytest.skip("of how many boxes there are, as many are drawn")
    four = [(x, y, x + 24, y + 24, 0) for x in (20, 84) for y in (20, 84)]
    with torch.inference_mode():
        raw = detector(images(1, 128))
        of_one, of_four = (float(detector.loss(raw, targets(boxes))["box"]) for boxes in (four[:1], four))
    rises = f'"box" is {of_one:.3g} for one box and {of_four:.3g} for four'
    assert (of_four < 1.3 * of_one) == detector.loss_per_positive, (
        f"{rises}: loss_per_positive = True says that it is a mean over boxes, and hardly rises; False, their sum"
    )


def test_the_loss_falls_on_two_images(name: str) -> None:
    detector = build(name, width=0.25)
    optimiser = torch.optim.Adam(detector.parameters(), lr=1e-3, fused=True)
    losses: list[float] = []
    while len(losses) < 60 and (not losses or losses[-1] >= 0.5 * losses[0]):
        loss = total(detector, detector(images()), TWO)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_batch_of_four_equals_four_of_one(name: str) -> None:
    detector, batch = build(name), images(4)
    settle_norms(detector, 0)
    detector(batch)  # without statistics of its own, a deep network's first boxes are millions of pixels wide
    detector.eval()
    with torch.inference_mode():
        whole = detector.candidates(detector(batch))
        for i in range(4):
            single = detector.candidates(detector(batch[i : i + 1]))
            if detector.samples:  # proposals that are nearly equal come in either order
                ours, theirs = (one.flatten().sort().values for one in (single.scores[0], whole.scores[i]))
                torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
                continue
            torch.testing.assert_close(single.scores[0], whole.scores[i], rtol=1e-3, atol=1e-6)
            side = (whole.boxes[i, :, 2:] - whole.boxes[i, :, :2]).amax(-1, keepdim=True).clamp(min=1)
            assert ((single.boxes[0] - whole.boxes[i]).abs() <= 1e-3 * side).all()


def fresh(name: str, seed: int) -> Detector:
    torch.manual_seed(seed)
    return detectors.build(name, settings_of(name, PX, 0.1), 3)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(name: str) -> None:
    """And build(), which makes each network once, gives what was made."""
    first, second, other = build(name), fresh(name, 0), fresh(name, 6)
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_padding_changes_nothing(name: str) -> None:
    detector = build(name).eval()
    if detector.samples:
        pytest.skip("its loss is that of a random part")
    raw = detector(images())
    wider = targets([(4, 6, 30, 40, 0), (40, 10, 60, 20, 2), *[(0, 0, 0, 0, -1)] * 70], [(10, 10, 50, 60, 1)])
    for term, value in detector.loss(raw, TWO).items():
        torch.testing.assert_close(detector.loss(raw, wider)[term], value)


def test_an_image_is_turned_against_the_network_by_its_own_loss_alone(name: str) -> None:
    """Self-adversarial training: as far whatever else goes through the network at once."""
    detector = build(name)
    if detector.samples:
        pytest.skip("its loss is that of a random part")
    stepper = Stepper(detector, TrainingSettings(batch=4), Runtime(torch.device("cpu"), Precision("fp32", "")))
    settle_norms(detector, 0)
    detector(images(4))  # or norms that have counted nothing let hardly any slope through
    pictures = images(4) / 2 + 0.25

    def moved(some: Tensor, strength: float) -> Tensor:
        stepper._attack = strength
        return stepper._turned(detector, some) - some

    strength = next(one for one in (1e-3, 0.1, 10, 1e3, 1e5) if moved(pictures, one).abs().max() > 1e-3)
    together, alone = moved(pictures, strength), torch.cat([moved(one[None], strength) for one in pictures])
    torch.testing.assert_close(
        together, alone, rtol=1e-2, atol=1e-2 * float(together.abs().max()), msg=lambda told: f"{DIVISOR}\n{told}"
    )  # fmt: skip


def test_an_ignore_region_teaches_neither_object_nor_background(name: str) -> None:
    """Where a region covers the whole image there is no gradient at all; without it there is."""
    detector = build(name)
    everywhere = [(-1e6, -1e6, 1e6, 1e6, 0)]
    for ignored, silent in ((((0, 0), (1, 0)), True), ((), False)):
        raw = tuple(level.detach().requires_grad_() for level in detector(images()))
        total(detector, raw, targets(everywhere, everywhere, ignore=ignored)).backward()
        idle = all(level.grad is not None and not level.grad.any() for level in raw)
        assert idle == silent, (
            "The loss must not look where `Targets.ignore` covers the image, neither as object nor as background."
            if silent else "Without `ignore` the same box must be learnt."
        )  # fmt: skip


def test_the_loss_is_float32_and_finite_under_bfloat16(name: str) -> None:
    detector, computed = build(name).to(memory_format=torch.channels_last), set()
    for module in detector.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda *given: computed.add(given[2].dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = detector.loss(detector(images().to(memory_format=torch.channels_last)), TWO)
    assert computed == {torch.bfloat16}
    assert all(term.dtype == torch.float32 and term.isfinite() for term in terms.values())
    torch.stack(list(terms.values())).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in detector.parameters())


def test_candidates_are_float32_under_bfloat16(name: str) -> None:
    """As `predict --fast` and the films ask for them: bfloat16 knows every second pixel beyond 256, and every fourth
    beyond 512.
    """
    detector = build(name).eval()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = detector.candidates(detector(images()))
    assert found.boxes.dtype == found.scores.dtype == torch.float32


def test_outputs_beyond_all_reason_give_a_finite_loss(name: str) -> None:
    detector = build(name)
    for far in (-1e4, 1e4):
        raw = tuple((level.detach() * 0 + far).requires_grad_() for level in detector(images()))
        total(detector, raw, TWO).backward()
        assert all(level.grad is not None and level.grad.isfinite().all() for level in raw)


def test_on_a_card_its_tensors_are_made_there_and_none_is_waited_for(name: str) -> None:
    """But by NMS within the candidates of two stages. And Apple's cards have all that is asked for."""
    detector = build(name)
    with Card() as card:
        detector.to(CARD)
        pictures, wanted = images().to(CARD), TWO.to(CARD)
        card.found.clear()
        raw = detector(pictures)
        terms = detector.loss(raw, wanted)
        number = detector.positives(wanted, (PX, PX)) if detector.shared_divisor else None
        waits = card.found.copy()
        best = detector.candidates(raw).best(100)
        in_all, not_apples = card.found.copy(), card.not_apples.copy()
        answers = detector.assignment(wanted, (PX, PX))
    advice = (
        "Compute with masks, not with nonzero(), item() or indices of true places, also in positives(). What is made on"
        " the way is made on the card (device=raw[0].device); what stays the same is kept in a buffer."
    )
    assert waits == {}, f"The processor would wait for the card: {waits}. {advice}"
    assert detector.later_multiply_adds or in_all == {}
    assert not_apples == {}, "Apple's cards have no float64, nor all operations."
    assert all(isinstance(tensor, There) for tensor in best)
    assert all(isinstance(term, There) and term.shape == () for term in terms.values())
    assert number is None or (isinstance(number, There) and int(number.here) == len(answers.image) > 0)


def test_every_box_has_a_positive_and_lies_on_it(name: str) -> None:
    detector = build(name, px=128)
    draw = np.random.default_rng(3)
    corner, side = draw.uniform(0, 90, (2, 40, 2)), np.exp(draw.uniform(1, 4.6, (2, 40, 2)))
    boxes = np.concatenate([corner, np.minimum(corner + side, 128)], axis=-1)
    wanted = targets(*([(*map(float, box), 0) for box in image] for image in boxes))
    found = detector.assignment(wanted, (128, 128))
    answered = {(int(i), int(t)) for i, t in zip(found.image, found.target, strict=True)}
    everything = {(i, t) for i in range(2) for t in range(40)}
    need = detector.anchor_need
    if detector.one_per_cell:  # the others lie in a cell that an earlier one took
        taken = {(int(i), int(r), int(c)) for i, r, c in zip(found.image, found.row, found.column, strict=True)}
        assert len(answered) == len(found.target) == len(taken)
        assert {(0, 0), (1, 0)} <= answered
    elif need is None:  # where the overlap or the point decides, a neighbour may win all that a small box has
        large = {(i, t) for i, t in everything if (boxes[i, t, 2:] - boxes[i, t, :2]).min() >= 16}
        assert len(answered & large) > 0.6 * len(large) > 10
        assert answered <= everything
    else:
        coarsest = (boxes[..., :2] + boxes[..., 2:]) // (2 * max(need.strides))
        where = {(i, *coarsest[i, t]) for i, t in answered}
        assert all((i, *coarsest[i, t]) in where for i, t in everything - answered)  # another box has their prior
        assert len(answered) >= 0.4 * len(everything)
        stride = torch.tensor(need.strides)[found.level]
        box = wanted.boxes[found.image, found.target]
        centre = (box[:, :2] + box[:, 2:]) / 2
        assert torch.equal((centre[:, 0] / stride).floor().long(), found.column)
        assert torch.equal((centre[:, 1] / stride).floor().long(), found.row)


def test_perfect_training_finds_the_box(name: str) -> None:
    """After enough steps on one image (twice: batch norm needs two) the best candidate is the box, with its label."""
    detector = build(name)
    wanted, picture = targets([(8, 12, 40, 56, 2)], [(8, 12, 40, 56, 2)]), images(1).repeat(2, 1, 1, 1)
    optimiser = torch.optim.Adam(detector.parameters(), lr=2e-3, fused=True)
    for _ in range(24):
        for _ in range(10):
            loss = total(detector, detector(picture), wanted)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(detector.parameters(), 1.0)  # else FCOS's ReLU may die of a first step
            optimiser.step()
        boxes, _, labels = detector.candidates(detector(picture)).best(1)
        if labels[0, 0] == 2 and (boxes[0, 0] - wanted.boxes[0, 0]).abs().max() <= 4:
            return
    pytest.fail(f"after 240 steps the best candidate is {boxes[0, 0].tolist()} with label {labels[0, 0]}")


def test_the_losses_of_single_images_average_to_that_of_the_batch(name: str) -> None:
    detector = build(name).eval()
    with torch.inference_mode():
        raw = detector(images())
        each = validate._each_loss(detector, raw, TWO)
        terms = detector.loss(raw, TWO)
        whole = float(sum(terms.values()))
    assert set(detector.judged_by) <= terms.keys()
    assert len(each) == len(TWO.labels)
    assert all(map(math.isfinite, each))
    if not detector.shared_divisor and not detector.samples and not detector.judged_by:
        assert sum(each) / len(each) == pytest.approx(whole, rel=1e-4), DIVISOR
