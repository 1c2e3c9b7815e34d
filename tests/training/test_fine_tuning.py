"""A training that goes on from a run with the same labels: at a part of the rate, and never worse without a word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.run_results import MakeRequest, only, same, weights
from tests.training.toys import Toy, make_snapshot
from workbench.core.project import FormerName, Label
from workbench.detectors.parts.blocks import settle_norms
from workbench.training import fine_tuning, recipes, step, validate
from workbench.training.checkpoints import checkpoint
from workbench.training.checkpoints.header import IMPORTED, former_of, read_header
from workbench.training.checks.preflight import preflight
from workbench.training.events import Control, Evaluated, Event, Finished, Message, Progress
from workbench.training.records import extension, runs
from workbench.training.records.record import read_request
from workbench.training.run import RunRequest, resume, train
from workbench.training.settings import FEW_JUDGES

pytestmark = pytest.mark.usefixtures("toy")


@pytest.fixture
def first(request_of: MakeRequest) -> Path:
    """The weights of a run of the toy."""
    request = request_of("first")
    list(train(request))
    return request.folder / "last.safetensors"


def going(request_of: MakeRequest, start: Path, **changes: Any) -> RunRequest:
    return replace(request_of("second", schedule="constant", **changes), start=start)


def rates(events: list[Event]) -> set[float]:
    return {round(event.learning_rate, 6) for event in only(events, Progress)}


def scored(monkeypatch: pytest.MonkeyPatch, *aps: float) -> None:
    """The evaluations find these."""
    left, real = iter(aps), validate.evaluate

    def evaluate(*args: Any) -> Any:
        ap = next(left)
        return replace(real(*args), ap=ap, ap50=ap, ap75=ap)

    monkeypatch.setattr(validate, "evaluate", evaluate)


def test_it_learns_at_a_part_of_the_rate_and_says_so_before_and_in_its_log(
    request_of: MakeRequest, first: Path
) -> None:
    request = going(request_of, first)
    found = {one.kind: one for one in preflight(request.snapshot, request.recipe, None, first)}
    assert "the learning rate is 0.015, 30 % of 0.05" in found["goes on"].sentence
    events = list(train(request))
    assert rates(events) == {0.015}
    assert found["goes on"].sentence in [event.sentence for event in only(events, Message)]
    assert recipes.read(request.folder / "settings.toml").training.learning_rate == 0.05  # not a share of it each time
    assert read_request(request.folder).goes_on
    assert extension.read_finished_run(request.folder).extended(2).first == pytest.approx(0.015)


def test_other_labels_another_network_and_a_share_of_one_leave_the_rate(request_of: MakeRequest, first: Path) -> None:
    request = going(request_of, first)
    names = [label.name for label in request.snapshot.labels]
    wide = replace(request.recipe, detector_settings=replace(request.recipe.detector_settings, width=0.5))
    assert fine_tuning.knows_all(first, request.recipe, [name.upper() for name in names])
    assert not fine_tuning.knows_all(first, request.recipe, [*names, "new"])
    assert not fine_tuning.knows_all(first, wide, names)
    assert not fine_tuning.knows_all(first.with_name("yolov4.weights"), request.recipe, names)
    assert not fine_tuning.knows_all(first.with_name("gone.safetensors"), request.recipe, names)
    assert fine_tuning.sentence(request.recipe.changed({"going_on_rate": 1.0}).training, first) == ""
    assert recipes.preset("fine-tune").training.going_on_rate == recipes.preset("published").training.going_on_rate == 1
    labels = (*request.snapshot.labels[:-1], Label(9, "new", position=len(names) - 1))
    fresh = replace(request, snapshot=replace(request.snapshot, labels=labels))
    assert rates(list(train(fresh))) == {0.05}


def test_labels_that_were_renamed_since_are_known(request_of: MakeRequest, first: Path) -> None:
    """What a run has learnt of them was thrown away, at the whole rate."""
    request = going(request_of, first)
    *others, last = request.snapshot.labels
    former = (FormerName(last.name, "new"),)
    labels = (*others, replace(last, name="new"))
    request = replace(request, snapshot=replace(request.snapshot, labels=labels, former_names=former))
    found = {one.kind: one for one in preflight(request.snapshot, request.recipe, None, first)}
    assert "class ids" not in found
    assert "the learning rate is 0.015" in found["goes on"].sentence
    events = list(train(request))
    assert rates(events) == {0.015}
    assert any("including what is known of" in m.sentence and "new" in m.sentence for m in only(events, Message))
    assert read_request(request.folder).snapshot.former_names == former, "it may have to begin again"


def test_a_label_whose_former_name_another_one_took_is_known_by_its_id(request_of: MakeRequest, first: Path) -> None:
    request = going(request_of, first)
    *others, last = request.snapshot.labels
    labels = (*others, replace(last, name="new"), Label(9, last.name, position=len(others) + 1))
    former = (FormerName(last.name, "new", last.id),)
    request = replace(request, snapshot=replace(request.snapshot, labels=labels, former_names=former))
    names = [label.name for label in labels]
    assert fine_tuning.knows_all(first, request.recipe, names[:-1], former)
    assert not fine_tuning.knows_all(first, request.recipe, names[-1:], former)
    said = only(list(train(request)), Message)
    assert any(f"what is known of {', '.join(names[:-1])}" in one.sentence for one in said), [s.sentence for s in said]
    assert read_request(request.folder).snapshot.former_names == former


def test_ids_of_imported_weights_are_no_project_s(first: Path) -> None:
    header = read_header(first)
    label = header.labels[0]
    former = (FormerName(label.name, "new", label.id),)
    assert tuple(former_of(header, former)) == (FormerName(label.name, "new"),)
    assert former_of(replace(header, provenance={IMPORTED: "a.weights"}), former) == ()


def test_a_resumed_one_goes_on_at_its_rate(request_of: MakeRequest, first: Path) -> None:
    straight = going(request_of, first, ema=0.0)
    list(train(straight))
    control, stopped = Control(), replace(straight, folder=straight.folder.with_name("third"))
    for event in train(stopped, control):
        if isinstance(event, Evaluated) and event.step:
            control.stop.set()
    first.unlink()  # which it does not need any more
    events = list(resume(stopped.folder))
    assert rates(events) == {0.015}
    assert same(weights(straight.folder), weights(stopped.folder))


def test_the_weights_it_begins_with_stay_the_best_ones_unless_it_learns_better(
    request_of: MakeRequest, first: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scored(monkeypatch, 0.5, 0.1, 0.2, 0.3, 0.4)
    judged = make_snapshot(tmp_path / "judged", validation=FEW_JUDGES)
    request = going(request_of, first, snapshot=judged)
    events = list(train(request))
    assert [(event.epoch, event.best) for event in only(events, Evaluated)] == [
        (0, True), (1, False), (2, False), (3, False), (4, False),
    ]  # fmt: skip
    best = request.folder / "best.safetensors"
    wanted = checkpoint.load_detector(first)[0].state_dict()
    assert same(checkpoint.load_weights(best, wanted), checkpoint.load_weights(first, wanted))
    assert (runs.info(request.folder).best_ap50, only(events, Finished)[0].best_ap50) == (0.5, 0.5)
    assert "did not get better" in only(events, Message)[-1].sentence


def test_where_few_images_judge_worse_weights_are_told_at_the_end(
    request_of: MakeRequest, first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(monkeypatch, 0.5, 0.6, 0.2)
    request = going(request_of, first, epochs=2)
    events = list(train(request))
    last = only(events, Message)[-1]
    assert "AP 0.500 at the beginning, 0.200 now" in last.sentence
    assert last.level == "warning"
    assert "AP50 0.500 at" in next(fine_tuning.remarks(request.folder, "ap50")).sentence  # of the number that decides
    assert list(fine_tuning.remarks(first.parent, "ap")) == []  # which did not go on from another


def test_norms_keep_what_they_counted(request_of: MakeRequest, first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    def noted(network: Toy, number: int) -> None:
        begun.append(number)
        settle_norms(network, number)

    monkeypatch.setattr(step, "settle_norms", noted)
    list(train(going(request_of, first, epochs=1)))
    assert begun == []
    list(train(request_of("fresh", epochs=1)))
    assert begun[0] == 0
