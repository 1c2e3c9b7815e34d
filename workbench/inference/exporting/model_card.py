"""MODEL_CARD.md of an exported detector: what it is, what it was trained on, its quality, use and limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench import settings
from workbench.core import formatting
from workbench.core.former_names import network_names
from workbench.core.nms import TITLES
from workbench.core.project import Label, Snapshot, Split, State
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.evaluating.saved_evaluation import point_in_use
from workbench.inference.exporters import DECODED, DETECTIONS, Card, Exporter, ExportSettings, is_runnable
from workbench.training.records import run_recipe

if TYPE_CHECKING:
    from workbench.detectors.parts.detector import Detector
    from workbench.inference.exporting.verification import Verification
    from workbench.training.checkpoints.header import CheckpointHeader

FEW = 30  # boxes of a label below which its AP is more chance than skill: a miss changes it by 3 %
LISTED = 200  # the most labels in the tables
OTHERS = ", those below their label's confidence at the end: they removed none of the others"


def suggested_settings(run_folder: Path, checkpoint: str = "") -> dict[str, Any]:
    """Settings for an export by name, taken from the run's point in use (saved_evaluation.py); {} without one.

    Soft NMS can't be put into a file, so the published kind stays. WorkbenchError if the kept point is damaged.
    """
    point = point_in_use(run_folder, checkpoint)
    if point is None:
        return {}
    known = {row.name: row for row in settings.rows(ExportSettings)}
    values = {"score": point.confidence, "limit": point.limit}
    more = {"nms_kind": point.kind} if point.kind in known["nms_kind"].choices else {}
    low, high = known["iou"].low or 0.0, known["iou"].high or 1.0
    return {**values, **more, "iou": min(max(point.iou, low), high)}


def licence_of(detector: Detector, header: CheckpointHeader | None) -> str:
    """What can be said of the licence if nobody states one: that of the published weights it was begun from."""
    begun = str(header.provenance.get("begun from", "")) if header else ""
    published = detector.pretrained
    if begun and published is not None and published.url.rpartition("/")[2] == Path(begun).name:
        return f"not stated; it was trained from {published.source}, {published.licence}"
    return ""


_SOFT = (
    " The run's own uses soft NMS, which files can't: it lowers the scores of overlapping detections, where the file"
    " removes them, so fewer may be left in crowds than on the Inspect page."
)


def text(
    member: Exporter,
    card: Card,
    verified: Verification,
    header: CheckpointHeader | None,
    snapshot: Snapshot | None,
    evaluation: dict[str, Any] | None,
    point: OperatingPoint | None = None,
) -> str:
    """The whole card. `point`: the one kept with the run."""
    evaluation = _called_now(evaluation, snapshot)
    parts = [
        _title(member, card),
        _use(member, card, point),
        _data(card, header, snapshot),
        _quality(card, evaluation),
        _verified(verified),
        _limits(card, evaluation),
        f"## Licence\n\n{_plain(card.licence) or 'Not stated. Ask whoever gave you the weights.'}",
    ]
    return "\n\n".join(parts) + "\n"


def _title(member: Exporter, card: Card) -> str:
    labels = ", ".join(_plain(label) for label in card.labels[:8]) + (" …" if len(card.labels) > 8 else "")
    return (
        f"# {card.detector}: {labels}\n\nAn object detector for {formatting.count(len(card.labels), 'label')}, as"
        f" {member.title} (`{member.file}`), written by Workbench {card.version}. `model.json` has labels in their"
        " order, input size, preprocessing, anchors and origin; the same text is inside the file if its format"
        " has room for it."
    )


def _use(member: Exporter, card: Card, kept: OperatingPoint | None) -> str:
    lines = ["## Use", "", _example(member, card)]
    lines += ["", _interface(card) if is_runnable(member) else _weights_alone(member)]
    if card.tiles:
        lines += ["", _tiles(member, card)]
    if card.window:
        black, white = card.window
        lines += ["", f"Of images with more than 8 bits, {black:.10g} is black and {white:.10g} white, as in training."]
    own = "; ".join(f"{_plain(name)} {score:g}" for name, score in sorted(card.label_scores.items())[:LISTED])
    confidence = f"confidence {card.score:g}" + (f" (labels with their own: {own})" if own else "")
    point = f"{confidence}, NMS {TITLES[card.nms_kind]} at an overlap of {card.iou:g}, at most {card.limit} per"
    return "\n".join([*lines, "", f"Operating point: {point} image.{_SOFT if kept and kept.kind == 'soft' else ''}"])


def _tiles(member: Exporter, card: Card) -> str:
    if "tile_overlap" in member.code(card):
        alone = "`workbench predict` and the example do that by themselves."
    else:
        alone = "`workbench predict` does that by itself."
    return (
        f"It was trained to see photographs larger than {card.tiles:,} px in tiles, too: cut them into squares of that"
        f" side which overlap by at least {card.tile_overlap:.0%}, run each and the whole photograph, and merge what is"
        f" found. {alone} Only as a whole, small objects in large photographs are missed."
    )


def _example(member: Exporter, card: Card) -> str:
    if "sys.argv" in member.code(card):
        use = "`python example.py photo.jpg` finds objects in a photograph, without Workbench"
        return f"{use}; its first lines say what to install."
    return "`python example.py` lists the weights, without Workbench."


def _weights_alone(member: Exporter) -> str:
    if hasattr(member, "beside"):
        return "Only the weights; the network is in the text files beside them."
    return (
        "Only the weights: to run them, open the file with Workbench or build the network yourself. To find objects"
        " without either, export as ONNX, PyTorch 2 export or TorchScript, which include the network."
    )


def _interface(card: Card) -> str:
    px, count = card.input_px, card.batch or "B"
    side = (
        f"H x W, multiples of {card.multiple} from {card.least} on (trained at {px} x {px})"
        if card.size == "dynamic"
        else f"{px} x {px}"
    )
    each = "" if card.lone else f"{count}, "
    outputs = {
        DETECTIONS: f"`boxes` ({each}n, 4), `scores` ({each}n) and `labels` ({each}n) after NMS, highest score first"
        + (OTHERS if card.label_scores and card.nms_kind == "across labels" else "")
        + ("" if card.lone else "; rows beyond an image's detections have score 0 and label -1"),
        DECODED: f"`boxes` ({each}N, 4) and `scores` ({each}N, C) for every prior, before NMS",
    }.get(card.output, "the network's raw heads, before decoding")
    return (
        f'Input: `image`, {count} x 3 x {side}, float32, RGB, 0..1; the upright photograph fitted by "{card.resize}".\n'
        f"Output: {outputs}. Boxes are xyxy in pixels of the network input."
    )


def _data(card: Card, header: CheckpointHeader | None, snapshot: Snapshot | None) -> str:
    about = header.provenance if header else {}
    fold, folds = run_recipe.fold(about.get("recipe", {}))
    facts = {
        "Run": about.get("run"),
        "Cross-validation": f"fold {fold} of {folds} judged it, so it has learnt from the others alone"
        if folds
        else "",
        "Date": about.get("time"),
        "Images trained on": _counted(about.get("images")),
        "Epochs": _counted(header.epoch if header else None),
        "Begun from": about.get("begun from"),
        "Imported from": about.get("imported from"),
        "Snapshot of the data": card.data,
    }
    lines = ["## Trained on", ""]
    lines += [f"- {name}: {_plain(str(value))}" for name, value in facts.items() if value] or ["Nothing is known."]
    if snapshot is not None and len(snapshot):
        same = snapshot.digest == card.data
        when = "" if same else " (of the project now: it has changed since, or only a part of it was trained on)"
        lines += ["", f"Boxes per label{when}:", "", *_boxes(snapshot)]
    return "\n".join(lines)


def _boxes(snapshot: Snapshot) -> list[str]:
    snapshot = snapshot.only(states=[state for state in State if state is not State.UNLABELLED])
    without = len(snapshot.only(splits=[Split.NONE]))
    splits = [Split.NONE] if without else []
    if without < len(snapshot) or not without:  # else a column of zeros would say that nothing was trained on
        splits = [Split.TRAIN, Split.VALIDATION, Split.TEST, *splits]
    parts = [snapshot.only(splits=[split]) for split in splits]
    counts = [np.bincount(part.label_index, minlength=len(snapshot.labels)) for part in parts]
    rows = [[label.name, *(f"{int(c[i]):,}" for c in counts)] for i, label in enumerate(snapshot.labels[:LISTED])]
    images = ["(images with labels)", *(f"{len(part):,}" for part in parts)]
    return _table(["label", *(split.words for split in splits)], [*rows, images])


def _quality(card: Card, evaluation: dict[str, Any] | None) -> str:
    if evaluation is None:
        return "## Quality\n\nThese weights were not evaluated (`workbench evaluate`, or the Inspect page)."
    try:
        rows = [
            [str(one["name"]), _score(one["ap"]), _score(one["ap50"]), f"{int(one.get('boxes', 0)):,}"]
            for one in evaluation["labels"][:LISTED]
        ]
        split = evaluation.get("split") or "all"
        images, boxes = int(evaluation["images"]), int(evaluation["boxes"])
        head = (
            f"On {formatting.count(images, 'image')} ({split}) with {formatting.count(boxes, 'box')}: AP"
            f" {_score(evaluation['ap'])}, AP50 {_score(evaluation['ap50'])} (COCO's definition)."
        )
        if card.tiles:
            head += f" Those larger than {card.tiles:,} px were seen in tiles, too: only as a whole, less is found."
        if known := int(evaluation.get("images_trained_on") or 0):
            head += f" It was trained on {known:,} of them, so it is worse than this on new images."
    except (KeyError, TypeError, ValueError):
        return "## Quality\n\nThe run's evaluation could not be read. Evaluate it again."
    return "\n".join(["## Quality", "", head, "", *_table(["label", "AP", "AP50", "boxes"], rows)])


def _called_now(evaluation: dict[str, Any] | None, snapshot: Snapshot | None) -> dict[str, Any] | None:
    """Its labels by the names that the project has for them now; as it is where it is damaged."""
    labels = (evaluation or {}).get("labels")
    if evaluation is None or snapshot is None or not isinstance(labels, list):
        return evaluation
    if not all(isinstance(one, dict) and "name" in one and type(one.get("id", 0)) is int for one in labels):
        return evaluation
    then = [Label(int(one.get("id", 0)), str(one["name"])) for one in labels]  # files of earlier versions have no ids
    names = network_names([label.name for label in then], then, snapshot.former_names)
    return {**evaluation, "labels": [{**one, "name": name} for one, name in zip(labels, names, strict=True)]}


def _counted(value: object) -> object:
    return f"{value:,}" if isinstance(value, int) and value else value


def _score(value: object) -> str:
    return formatting.share(value) if isinstance(value, int | float) else "-"


def _verified(verified: Verification) -> str:
    found = verified.agreement
    if found is None:
        return "## Verified\n\nNo: this format's file can't be read back."
    where = (
        formatting.count(len(verified.images), "real image") if verified.images else "noise, as there were no images"
    )
    by = ", ".join(f"{name} {version}" for name, version in verified.versions.items()) or "this program's own reader"
    return (
        f"## Verified\n\nOn {where}, by {by}: {found.matched:,} of {found.compared:,} detections are those of the"
        f" trained network. The worst score differs by {found.largest_score_gap:.2g}, the worst box by"
        f" {found.largest_box_gap:.2g} px (IoU {found.lowest_iou:.4f}). Details: verification.json."
    )


def _limits(card: Card, evaluation: dict[str, Any] | None) -> str:
    labels = (evaluation or {}).get("labels")
    few = [
        _plain(str(one["name"]))
        for one in (labels if isinstance(labels, list) else [])
        if isinstance(one, dict) and "name" in one and isinstance(one.get("boxes"), int) and one["boxes"] < FEW
    ]
    lines = [
        "It knows only its labels, and finds them best in photographs like those it was trained on. With other "
        "cameras, light, distances or places it gets worse, and nothing in its output says so.",
        "A confidence is not a probability. Choose it on your own images.",
        f"Objects smaller than a few pixels once an image is fitted to {card.input_px} x {card.input_px} are missed.",
    ]
    if few:
        lines.append(f"Fewer than {FEW} boxes are behind the numbers of {', '.join(few[:20])}: they are chance.")
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    head = f"| {' | '.join(titles)} |", f"|---|{'--:|' * (len(titles) - 1)}"
    return [*head, *(f"| {' | '.join(_plain(cell) for cell in row)} |" for row in rows)]


def _plain(text: str) -> str:
    """A label or name escaped for Markdown: literal, on one line, also in a table."""
    return "".join(f"\\{one}" if one in "\\|`*_<>[]#" else one for one in formatting.one_line(text))
