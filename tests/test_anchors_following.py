"""A fit follows edits as well as one that begins anew; curves rise; chance only improves."""

from __future__ import annotations

import numpy as np
import pytest

from workbench import anchors
from workbench.errors import WorkbenchError

EDITS = 1_000
DRIFT = 0.0005  # of mean IoU: .05 points


def drawn(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.exp(random.normal(3.6, 1.0, (count, 1)) + random.normal(0, 0.35, (count, 2)))


def drift(fit: anchors.AnchorFit, sizes: np.ndarray, k: int) -> float:
    """How far the followed anchors are behind freshly fitted ones, on the same boxes."""
    return anchors.best(sizes, k).mean_iou - anchors.rate_anchors(sizes, fit.step.centres).mean_iou


def edited(sizes: np.ndarray, random: np.random.Generator, progress: float) -> np.ndarray:
    """A box from a distribution that shrinks while editing goes on: what fitted at first is wrong in the end."""
    return np.exp(random.normal(3.6 - 2 * progress, 0.6, (1, 1)) + random.normal(0, 0.35 + progress / 4, (1, 2)))


@pytest.mark.slow
@pytest.mark.parametrize("k", [3, 9])
def test_a_thousand_edits_do_not_let_a_fit_drift(k: int) -> None:
    sizes, random = drawn(2_000), np.random.default_rng(4)
    fit = anchors.AnchorFit(sizes, k)
    begun = fit.step.centres
    for edit in range(EDITS):
        row, new = int(random.integers(len(sizes))), edited(sizes, random, edit / EDITS)
        fit.refit(sizes[[row]], new)
        fit.try_elsewhere()
        sizes[row] = new[0]
    assert len(fit.pool) == len(sizes)
    assert drift(fit, sizes, k) < DRIFT
    standing = anchors.best(sizes, k).mean_iou - anchors.rate_anchors(sizes, begun).mean_iou
    assert standing > 10 * DRIFT  # anchors that follow nothing would be noticed


def test_a_refit_judges_the_boxes_that_are_there_now() -> None:
    fit = anchors.AnchorFit([(10, 10), (10, 12), (100, 50)], 2)
    step = fit.refit([(100, 50)], [(30, 90), (30, 90)])
    assert step is fit.step
    assert step.counts.tolist() == [2, 2]
    assert step.centres[1].tolist() == [30, 90]
    rated = anchors.rate_anchors([(10, 10), (10, 12), (30, 90), (30, 90)], step.centres)
    assert step.mean_iou == pytest.approx(rated.mean_iou)


def test_steps_that_were_given_out_do_not_change_afterwards() -> None:
    sizes = drawn(500)
    fit = anchors.AnchorFit(sizes, 4)
    first, kept = fit.step, fit.step.centres.copy()
    for row in range(20):
        fit.refit(sizes[[row]], sizes[[row]] * 3)
    np.testing.assert_array_equal(first.centres, kept)
    assert not np.array_equal(fit.step.centres, kept)


def test_the_same_edits_give_the_same_anchors() -> None:
    sizes = drawn(800)
    ends = []
    for _ in range(2):
        fit = anchors.AnchorFit(sizes, 5, seed=3)
        for row in range(30):
            fit.refit(sizes[[row]], sizes[[row]] * 2)
            fit.try_elsewhere()
        ends.append(fit.step.centres)
    np.testing.assert_array_equal(ends[0], ends[1])


@pytest.mark.parametrize("update", anchors.UPDATES)
def test_half_of_all_boxes_changed_at_once_is_a_fresh_start(update: anchors.Update) -> None:
    sizes = drawn(1_000)
    fit = anchors.AnchorFit(sizes, 4, update=update)
    fit.refit(sizes[:500], sizes[:500] * (6, 0.5))
    sizes[:500] *= (6, 0.5)
    assert fit.step.mean_iou == pytest.approx(anchors.AnchorFit(sizes, 4, update=update).step.mean_iou, abs=1e-3)


def test_too_few_sizes_after_an_edit_are_said_and_nothing_changes() -> None:
    fit = anchors.AnchorFit([(5, 5), (9, 9)], 2)
    with pytest.raises(WorkbenchError, match="only one box size"):
        fit.refit([(9, 9)], [(5, 5)])
    with pytest.raises(WorkbenchError, match="not among those"):
        fit.refit([(7, 7)], [])
    assert len(fit.pool) == 2
    assert fit.step.counts.tolist() == [1, 1]


def test_a_curve_has_each_number_and_never_falls() -> None:
    steps = list(anchors.curve(drawn(3_000), 15))
    assert [len(step.centres) for step in steps] == list(range(1, 16))
    reached = [step.mean_iou for step in steps]
    assert reached == sorted(reached)
    for k in (1, 5, 12):
        assert reached[k - 1] > anchors.best(drawn(3_000), k).mean_iou - 0.005


def test_a_curve_ends_where_every_size_has_its_anchor() -> None:
    steps = list(anchors.curve([(5, 5), (9, 3), (9, 3), (20, 40)], 15))
    assert [len(step.centres) for step in steps] == [1, 2, 3]
    assert steps[-1].mean_iou == 1.0


@pytest.mark.parametrize("update", anchors.UPDATES)
def test_a_curve_and_kmeans_take_pools(update: anchors.Update) -> None:
    pool = anchors.SizePool.of(drawn(2_000))
    (last,) = (step for step in anchors.kmeans(pool, 3, update=update) if step.done)
    *_, third = anchors.curve(pool, 3, update=update)
    assert third.mean_iou == pytest.approx(last.mean_iou, abs=0.01)


def test_chance_only_improves_and_ends_done() -> None:
    sizes = drawn(1_000)
    start = anchors.best(sizes, 6, update="mean")
    steps = list(anchors.refine(sizes, start.centres, generations=300))
    reached = [start.mean_iou, *(step.mean_iou for step in steps)]
    assert reached == sorted(reached)
    assert reached[-1] > start.mean_iou + 0.002
    assert [step.done for step in steps] == [False] * (len(steps) - 1) + [True]
    assert steps[-1].iteration == 300
    assert steps[-1].mean_iou == pytest.approx(anchors.rate_anchors(sizes, steps[-1].centres).mean_iou, abs=1e-3)


def test_the_same_seed_gives_the_same_chance() -> None:
    sizes = drawn(400)
    ends = [[*anchors.refine(sizes, sizes[:4], seed, 100)][-1].mean_iou for seed in (1, 1, 2)]
    assert ends[0] == ends[1] != ends[2]


def test_where_chance_cannot_help_it_says_only_that_it_is_done() -> None:
    (step,) = anchors.refine([(10, 10), (30, 5)], [(10, 10), (30, 5)], generations=50)
    assert (step.mean_iou, step.done) == (1.0, True)
