"""The anchors command: cluster box sizes, compare with published sets, draw them, print them as text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench import anchors as engine
from workbench.anchors import PUBLISHED, Step, Update
from workbench.cli.options import Json, Project, app, check_choice, check_png, project_of, typed
from workbench.console import print_result, print_table, say, write_lines
from workbench.core.project import AnchorSet
from workbench.core.resize import FIT_MODES
from workbench.core.tiling import OVERLAP
from workbench.errors import Misused
from workbench.training.settings import TrainingSettings

PRINTED_FORMATS = ("text", "cfg", "json", "python")
CURVE = 15


@app.command()
def anchors(
    project: Project,
    k: Annotated[int, typer.Option("--k", help="How many anchors.", min=1, max=50)] = 9,
    size: Annotated[int, typer.Option("--size", help="Side of the network input in pixels.", min=32)] = 416,
    resize: Annotated[str, typer.Option("--resize", help=f"{', '.join(FIT_MODES)}.")] = "stretch",
    scale: Annotated[
        float,
        typer.Option(
            "--scale",
            help="The training's setting of that name: adds its range of sizes.",
            min=0.0,
            max=0.9,
        ),
    ] = 0.0,
    tiles: Annotated[
        int, typer.Option("--tiles", metavar="PX", help="The training's setting of that name; 0: none.", min=0)
    ] = 0,
    overlap: Annotated[
        float,
        typer.Option("--tile-overlap", help="The training's setting of that name.", min=0.0, max=0.75),
    ] = OVERLAP,
    update: Annotated[Update, typer.Option("--update", help="median (better) or mean (the paper's).")] = "median",
    seed: Annotated[int, typer.Option("--seed", help="Seed of the clustering's starts.", min=0)] = 0,
    use: Annotated[bool, typer.Option("--use", help="Use them in training: keeps them in the project.")] = False,
    published: Annotated[
        list[str] | None,
        typer.Option("--published", help=f"Compare with a published set, or several: {', '.join(PUBLISHED)}."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw boxes, anchors and the curve over k into this PNG.")
    ] = None,
    format: Annotated[
        str,
        typer.Option("--format", help=f"Of the output: {', '.join(PRINTED_FORMATS)}; all but text can be pasted."),
    ] = "text",
    as_json: Json = False,
) -> None:
    """Cluster the box sizes by IoU k-means, as the YOLOv2 paper does."""
    from workbench.core import edits

    check_choice("resize", resize, list(FIT_MODES))
    check_choice("format", format, list(PRINTED_FORMATS))
    check_png("plot", plot)
    if published and format != "text" and not as_json:
        raise Misused("--published compares sets in a table, which --format has no place for. Leave out one.")
    with typed():
        seen = TrainingSettings(tiles=tiles, tile_overlap=overlap).tiling
    names = [check_choice("published", name, list(PUBLISHED)) for name in published or ()]
    with project_of(project, write=use) as document:
        snapshot = document.snapshot()
        found = engine.anchor_set(snapshot, k, size, resize=resize, update=update, seed=seed, scale=scale, tiling=seen)
        views = engine.in_tiles(engine.training_images(snapshot), seen)
        sizes, rows = engine.sizes_and_rows(views, size, resize, scale)
        boxes = len(set(rows.tolist()))
        if use:
            document.do(edits.ChangeSetting("anchors", found.to_setting()))
        called = document.folder.name
    step = engine.rate_anchors(sizes, found.sizes)
    others = {name: PUBLISHED[name].at(size) for name in names}
    judged = {name: engine.rate_anchors(sizes, one) for name, one in others.items()}
    if plot is not None:
        from workbench.anchors.plot import draw_plot

        scales = f", images scaled by up to {engine.percent(scale, 0)}" if scale else ""
        title = f"{called}: {k} anchor{'s' * (k > 1)} at {size} px ({resize}{scales})"
        curve = list(engine.curve(sizes, max(k, CURVE), seed, update))
        sets = {PUBLISHED[name].title: one for name, one in others.items()}
        draw_plot(plot, title, sizes, step, curve, sets, "sizes of boxes" if scale else "boxes")
    if as_json:
        print_result(_to_json(found, step, judged, plot, used=use), as_json=True)
    elif format != "text":
        as_text = {"cfg": engine.as_cfg(found.sizes), "json": engine.as_json(found, step.ratio_recall)}
        write_lines([as_text.get(format, engine.as_python(found))])
    else:
        _show(found, step, judged, boxes)
        if plot is not None:
            say(f"Drawn into {plot}.")
        if use:
            say("Kept in the project.")


def _shares(step: Step) -> tuple[float, float, float]:
    return step.mean_iou, step.recall, step.ratio_recall


def _rounded(step: Step) -> dict[str, float]:
    return {name: round(getattr(step, name), 6) for name in ("mean_iou", "recall", "ratio_recall")}


def _to_json(found: AnchorSet, step: Step, rated: dict[str, Step], plot: Path | None, *, used: bool) -> dict[str, Any]:
    values: dict[str, Any] = {
        "anchors": [[round(side, 3) for side in pair] for pair in found.sizes], "input_px": found.input_px,
        "tiles": found.tiles, **_rounded(step), "source": found.source, "used": used,
    }  # fmt: skip
    if rated:
        values["published"] = {name: _rounded(one) for name, one in rated.items()}
    if plot is not None:
        values["plot"] = str(plot)
    return values


def _show(found: AnchorSet, step: Step, rated: dict[str, Step], boxes: int) -> None:
    shares = step.counts / max(int(step.counts.sum()), 1)
    counts = engine.whole_numbers(step.counts, boxes)
    print_table(
        ["anchor", "width px", "height px", "boxes", "share %"],
        [
            [number, f"{w:.1f}", f"{h:.1f}", count, f"{100 * share:.1f}"]
            for number, ((w, h), count, share) in enumerate(
                zip(found.sizes, counts.tolist(), shares.tolist(), strict=True), 1
            )
        ],
    )
    percent = engine.percent
    say(
        f"Mean IoU {percent(found.mean_iou)}, best possible recall {percent(found.recall)} (IoU above"
        f" {engine.RECALL_IOU:g}), {percent(step.ratio_recall)} by sides that differ less than {engine.RATIO:g} times."
    )
    if rated:
        rows = {"these": step, **{PUBLISHED[name].title: one for name, one in rated.items()}}
        print_table(
            ["set", "anchors", "mean IoU %", "recall %", "recall by sides %"],
            [
                [name, len(one.centres), *(engine.percent(share)[:-2] for share in _shares(one))]
                for name, one in rows.items()
            ],
        )
