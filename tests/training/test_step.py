"""A step in parts equals a step as a whole; weight decay leaves norms and biases alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.training.toys import CALM, Toy, ToySettings
from workbench.detectors.parts.cross_norm import cross_norms
from workbench.detectors.parts.csp import WeightedSum
from workbench.detectors.parts.detector import Raw
from workbench.errors import WorkbenchError
from workbench.training import step
from workbench.training.batches.augment import Batch
from workbench.training.ema import Average
from workbench.training.hardware import machine
from workbench.training.hardware.machine import Precision
from workbench.training.hardware.runtime import Runtime
from workbench.training.settings import TrainingSettings
from workbench.training.step import Diverged, Stepper, make_optimizer

CPU = torch.device("cpu")


class Plain(Toy):
    """The toy without what depends on the other images of a batch."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.norm = nn.Identity()  # type: ignore[assignment]
        self.dropout = nn.Identity()  # type: ignore[assignment]


class Normed(Toy):
    """The toy without dropout."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.dropout = nn.Identity()  # type: ignore[assignment]


def batch(images: int = 4) -> Batch:
    random = np.random.default_rng(0)
    boxes = np.zeros((images, 16, 4), np.float32)
    boxes[:, 0] = (0, 0, 32, 32)
    labels = np.full((images, 16), -1)
    labels[:, 0] = np.arange(images) % 2
    pixels = random.integers(0, 255, (images, 64, 64, 3), np.uint8)
    return Batch(pixels, boxes, labels, np.zeros((images, 16), bool))


def stepper(kind: type[Toy] = Plain, threads: int = 1, **changes: Any) -> Stepper:
    torch.manual_seed(0)
    return Stepper(
        kind(ToySettings(input_px=64), 2), replace(CALM, **changes), Runtime(CPU, Precision("fp32", "")), threads
    )


def test_a_step_in_parts_is_the_whole_step() -> None:
    whole, parts = stepper(), stepper()
    parts.micro = 3  # 3 images, then 1
    assert whole.step(batch(), 0.1)["cell"] == pytest.approx(parts.step(batch(), 0.1)["cell"], rel=1e-6)
    for one, other in zip(whole.detector.parameters(), parts.detector.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_a_step_moves_by_the_learning_rate() -> None:
    one, two = stepper(weight_decay=0.0), stepper(weight_decay=0.0)
    start = one.detector.out.bias.detach().clone()
    one.step(batch(), 0.1)
    two.step(batch(), 0.2)
    moved = one.detector.out.bias - start
    assert torch.allclose(2 * moved, two.detector.out.bias - start, atol=1e-6)


def test_the_gradient_is_shortened_when_asked() -> None:
    long, short = stepper(weight_decay=0.0, momentum=0.0), stepper(weight_decay=0.0, momentum=0.0, clip_gradient=0.001)
    before = [p.detach().clone() for p in short.detector.parameters()]
    long.step(batch(), 1.0)
    short.step(batch(), 1.0)
    moved = torch.cat(
        [(p.detach() - b).flatten() for p, b in zip(short.detector.parameters(), before, strict=True)]
    ).norm()
    assert float(moved) == pytest.approx(0.001, rel=1e-3)


def test_a_gradient_that_is_no_number_changes_no_weight() -> None:
    broken = stepper()
    before = [p.detach().clone() for p in broken.detector.parameters()]
    broken.detector.out.weight.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(Diverged, match="gradient"):
        broken.step(batch(), 0.1)
    assert all(torch.equal(p, b) for p, b in zip(broken.detector.parameters(), before, strict=True))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_only_weights_of_convolutions_decay(optimizer: str) -> None:
    groups = make_optimizer(Toy(ToySettings(input_px=64), 2), TrainingSettings(optimizer=optimizer)).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(2, 0.0005), (4, 0.0)]


class Wide(Plain):
    """The toy with a matrix of 1,024 inputs, and a weight for each of 1,024 channels, that only the optimizer uses."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.matrix = nn.Linear(1024, 2)
        self.sum = WeightedSum(1024)


@pytest.mark.parametrize(("optimizer", "share"), [("adamw", 0.25), ("sgd", 1.0)])
def test_a_matrix_of_many_inputs_is_moved_less_by_adamw(optimizer: str, share: float) -> None:
    stepped = stepper(Wide, optimizer=optimizer)
    stepped.step(batch(), 0.1)
    groups = stepped.optimizer.param_groups
    of = {id(weight): group["lr"] for group in groups for weight in group["params"]}
    assert isinstance(stepped.detector, Wide)
    assert of[id(stepped.detector.matrix.weight)] == pytest.approx(0.1 * share)
    assert of[id(stepped.detector.matrix.bias)] == pytest.approx(0.1)
    assert of[id(stepped.detector.sum.weights)] == pytest.approx(0.1)


class Late(Plain):
    """Of which the first step does not use a part, as may be so of a plugin's."""

    calls = 0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.more = nn.Conv2d(8, 2, 1)

    def forward(self, images: Tensor) -> Raw:
        self.calls += 1
        features = self.conv(images)
        return (self.out(features) + (self.more(features) if self.calls > 1 else 0),)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_weight_that_the_loss_uses_later_is_learnt_from_then_on(optimizer: str) -> None:
    """torch's fused SGD has momenta of all weights or of none."""
    stepped = stepper(Late, optimizer=optimizer)
    assert isinstance(stepped.detector, Late)
    before, moved = stepped.detector.more.weight.detach().clone(), []
    for _ in range(2):
        stepped.step(batch(), 0.1)
        moved.append(not torch.equal(stepped.detector.more.weight, before))
    assert moved == [False, True]


def test_the_average_follows_with_its_decay_and_copies_counters() -> None:
    detector = Toy(ToySettings(input_px=64), 1)
    average = Average(detector, 0.9)
    averaged = average.detector
    assert isinstance(averaged, Toy)
    with torch.no_grad():
        detector.out.bias.fill_(1.0)
        averaged.out.bias.fill_(0.0)
    detector.norm.num_batches_tracked.fill_(7)
    average.update(100)
    assert float(averaged.out.bias) == pytest.approx(0.1)
    assert int(averaged.norm.num_batches_tracked) == 7
    average.update(0)  # decay 1 / 10 at the first step
    assert float(averaged.out.bias) == pytest.approx(0.91)


def test_the_average_follows_alike_where_the_device_tells_and_stays_where_no_step_was_taken() -> None:
    detector = Toy(ToySettings(input_px=64), 1)
    average, copies = Average(detector, 0.9), Average(detector, 0.0)
    averaged, copied = average.detector, copies.detector
    assert isinstance(averaged, Toy)
    assert isinstance(copied, Toy)
    with torch.no_grad():
        detector.out.bias.fill_(1.0)
        averaged.out.bias.fill_(0.0)
    taken, none = torch.zeros(1), torch.ones(1)
    for steps, over, wanted in ((100, taken, 0.1), (0, taken, 0.91), (50, none, 0.91), (100, taken, 0.919)):
        average.update(steps, over)
        assert float(averaged.out.bias) == pytest.approx(wanted)
    assert float(detector.out.bias.detach()) == 1, "the trained weights are only read"
    copies.update(5, taken)
    assert float(copied.out.bias) == 1


def test_without_an_average_the_weights_themselves_are_kept() -> None:
    detector = Toy(ToySettings(input_px=64), 1)
    average = Average(detector, 0.0)
    with torch.no_grad():
        detector.out.bias.fill_(3.0)
    average.update(5)
    assert isinstance(average.detector, Toy)
    assert float(average.detector.out.bias) == 3.0


def test_a_crew_takes_the_same_step_as_one() -> None:
    one, parallel = stepper(), stepper(threads=2)
    assert (len(one.replicas), len(parallel.replicas)) == (1, 2)
    for number in range(3):
        expected, got = one.step(batch(), 0.1, number), parallel.step(batch(), 0.1, number)
        assert expected["cell"] == pytest.approx(got["cell"], rel=1e-5)
    parallel.close()
    for alone, together in zip(one.detector.parameters(), parallel.detector.parameters(), strict=True):
        assert torch.allclose(alone, together, atol=1e-5)


def test_a_crew_gives_the_same_numbers_each_time() -> None:
    steppers = [stepper(Normed, threads=2) for _ in range(2)]
    for parallel in steppers:
        for number in range(5):
            parallel.step(batch(), 0.1, number)
        parallel.close()
    one, other = (parallel.detector.state_dict() for parallel in steppers)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_statistics_of_a_crew_are_the_mean_of_its_parts() -> None:
    parallel = stepper(Normed, threads=2)
    before = parallel.detector.norm.running_mean.clone()
    assert torch.equal(before, torch.zeros(8))
    images = torch.from_numpy(batch().images).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        mean = parallel.detector.conv(images).mean(dim=(0, 2, 3))
    parallel.step(batch(), 0.0, 0)  # step 0 takes its statistics whole
    parallel.close()
    assert torch.allclose(parallel.detector.norm.running_mean, mean, atol=1e-5)


def test_members_without_a_part_do_not_count_in_the_statistics() -> None:
    """Nine images on four cores go through three of them."""
    parallel = stepper(Normed, threads=4, batch=9)
    assert len(parallel.replicas) == 4
    images = torch.from_numpy(batch(9).images).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        mean = parallel.detector.conv(images).mean(dim=(0, 2, 3))
    parallel.step(batch(9), 0.0, 0)  # step 0 takes its statistics whole
    parallel.close()
    assert torch.allclose(parallel.detector.norm.running_mean, mean, atol=1e-5)


def test_networks_with_dropout_and_small_batches_have_no_crew() -> None:
    assert len(stepper(Toy, threads=4).replicas) == 1
    assert len(stepper(threads=4, batch=3).replicas) == 1
    four = stepper(threads=16, batch=8)
    assert len(four.replicas) == 4
    four.close()


def test_mini_batches_of_a_size_that_was_asked_for_are_the_whole_step() -> None:
    whole, parts = stepper(), stepper(mini_batch=1)
    assert (whole.micro, parts.micro) == (4, 1)
    whole.step(batch(), 0.1)
    parts.step(batch(), 0.1)
    for one, other in zip(whole.detector.parameters(), parts.detector.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_cross_norms_see_one_mini_batch_after_the_other() -> None:
    """Of four, the last is normalised by all; plain norms take each alone."""
    crossed, plain = (stepper(Normed, threads=2, mini_batch=2, cross_norm=on) for on in (True, False))
    assert (len(crossed.replicas), len(plain.replicas)) == (1, 2)
    (norm,) = cross_norms(crossed.detector)
    images = torch.from_numpy(batch().images).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        mean = crossed.detector.conv(images).mean(dim=(0, 2, 3))
    crossed.step(batch(), 0.0)
    plain.close()
    assert norm.taken == 2
    assert torch.allclose(norm.mean, mean, atol=1e-5)
    crossed.step(batch(), 0.0)
    assert norm.taken == 2


@pytest.mark.parametrize(
    ("images", "mini_batch", "taken"), [(16, None, 8), (4, None, 4), (16, 8, 2)], ids=["auto", "small", "asked"]
)
def test_cross_norms_split_a_batch_as_darknets_subdivisions_do(images: int, mini_batch: int | None, taken: int) -> None:
    stepped = stepper(Normed, cross_norm=True, mini_batch=mini_batch, batch=images)
    some = batch()
    times = images // 4
    images_, boxes, labels, ignore = (
        np.concatenate([array] * times) for array in (some.images, some.boxes, some.labels, some.ignore)
    )
    stepped.step(Batch(images_, boxes, labels, ignore), 0.0)
    assert [norm.taken for norm in cross_norms(stepped.detector)] == [taken]
    assert stepped.unused_settings() == []


def test_labels_that_are_not_weighed_are_spoken_of() -> None:
    """The toy has no buffer label_weights."""
    assert "label_balance has no effect" in stepper(Plain, label_balance=0.5).unused_settings()[0]
    weighing = stepper(Plain)
    weighing.detector.register_buffer("label_weights", torch.ones(2))
    weighing.settings = replace(weighing.settings, label_balance=0.5)
    assert weighing.unused_settings() == []


def test_cross_norms_that_can_do_nothing_are_spoken_of() -> None:
    assert "no batch norms" in stepper(Plain, cross_norm=True).unused_settings()[0]
    assert "Choose a smaller mini_batch" in stepper(Normed, cross_norm=True, batch=4, mini_batch=4).unused_settings()[0]
    assert stepper(Normed, batch=4, mini_batch=4).unused_settings() == []


def test_sync_norms_of_one_process_are_spoken_of_where_they_count_a_part_of_its_batch() -> None:
    assert stepper(Normed, sync_norm=True, batch=4).unused_settings() == []
    assert "use 2 images at a time" in stepper(Normed, sync_norm=True, batch=4, mini_batch=2).unused_settings()[0]


def test_an_attack_hides_the_objects_from_the_network_and_changes_neither_weights_nor_norms() -> None:
    one = stepper(Normed)
    for _ in range(30):
        one.step(batch(), 0.05)
    images = torch.from_numpy(batch().images).permute(0, 3, 1, 2).float() / 255
    before = {name: tensor.clone() for name, tensor in one.detector.state_dict().items()}
    one._attack = 3.0
    turned = one._turned(one.detector, images)
    assert one.detector.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in one.detector.state_dict().items())
    assert 0 <= turned.min() <= turned.max() <= 1
    assert 1e-4 < (turned - images).abs().mean() < 0.2
    one.detector.eval()
    with torch.no_grad():
        found, hidden = (one.detector.candidates(one.detector(x)).scores.max() for x in (images, turned))
    assert hidden < found - 0.1


def test_a_step_under_attack_learns_the_true_boxes_on_the_changed_images() -> None:
    calm, attacked = stepper(Normed), stepper(Normed)
    for _ in range(30):
        calm.step(batch(), 0.05)
        attacked.step(batch(), 0.05)
    first, second = calm.step(batch(), 0.1), attacked.step(batch(), 0.1, attack=2.0)
    assert second["cell"] > first["cell"]  # what is hidden is harder to find


def test_batch_norm_of_a_single_value_is_a_sentence() -> None:
    class Single(Normed):
        def forward(self, images: Tensor) -> Raw:
            return super().forward(images[:, :, :32, :32])

    with pytest.raises(WorkbenchError, match="larger batch"):
        stepper(Single, mini_batch=1).step(batch(), 0.1)


def test_a_gradient_lies_in_memory_as_its_weight_does() -> None:
    """On a map of one pixel a convolution gives its gradient in another order, which fused SGD refuses on CUDA."""
    weight = torch.zeros(8, 4, 3, 3).to(memory_format=torch.channels_last)
    gradient = torch.arange(288.0).reshape(8, 4, 3, 3)
    laid = step._laid_as(gradient, weight)
    assert laid is not None
    assert laid.stride() == weight.stride() != gradient.stride()
    assert torch.equal(laid, gradient)
    assert step._laid_as(laid, weight) is laid
    assert step._laid_as(None, weight) is None


def test_a_step_is_the_same_in_the_order_in_memory_that_apples_gpu_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = stepper()
    monkeypatch.setattr(machine, "memory_format", lambda device: torch.contiguous_format)
    plain = stepper()
    seen: list[bool] = []
    plain.detector.register_forward_pre_hook(lambda _, given: seen.append(given[0].is_contiguous()))
    assert all(weight.is_contiguous() for weight in plain.detector.parameters())
    assert plain.step(batch(), 0.1) == pytest.approx(usual.step(batch(), 0.1), rel=1e-5)
    assert seen == [True]
    for one, other in zip(usual.detector.parameters(), plain.detector.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


class Parted(Normed):
    backbone_parts = ("conv", "norm")


@pytest.mark.parametrize("threads", [1, 2])
def test_a_backbone_at_rest_keeps_its_weights_and_counts_and_learns_again(threads: int) -> None:
    made = stepper(Parted, threads=threads, weight_decay=0.1, freeze=0.5)
    before = {name: tensor.clone() for name, tensor in made.detector.state_dict().items()}
    for _ in range(3):
        made.step(batch(), 0.1, frozen=True)
    moved = {n for n, tensor in made.detector.state_dict().items() if not torch.equal(tensor, before[n])}
    assert moved == {"out.weight", "out.bias"}
    made.step(batch(), 0.1)
    moved = {n for n, tensor in made.detector.state_dict().items() if not torch.equal(tensor, before[n])}
    assert {"conv.weight", "norm.weight", "norm.running_mean", "out.weight"} <= moved


@pytest.mark.parametrize(("optimizer", "key", "value"), [("sgd", "momentum", 0.8), ("adamw", "betas", (0.8, 0.999))])
def test_a_steps_own_momentum_is_the_optimisers(optimizer: str, key: str, value: object) -> None:
    made = stepper(optimizer=optimizer)
    made.step(batch(), 0.1, momentum=0.8)
    assert all(group[key] == value for group in made.optimizer.param_groups)
