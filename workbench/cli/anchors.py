"""The command about anchors: cluster box sizes, compare with published sets, draw them, give them out as text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench import anchors as engine
from workbench.anchors import PUBLISHED, Step, Update
from workbench.cli.options import Json, Project, app, one_of, project_of
from workbench.console import result, say, table
from workbench.core.project import AnchorSet
from workbench.core.resize import HOWS

FORMATS = ("text", "cfg", "json", "python")
CURVE = 15


@app.command()
def anchors(
    project: Project,
    k: Annotated[int, typer.Option("--k", help="How many anchors.", min=1, max=50)] = 6,
    size: Annotated[int, typer.Option("--size", help="Side of the network input in pixels.", min=32)] = 416,
    resize: Annotated[str, typer.Option("--resize", help=f"{', '.join(HOWS)}.")] = "stretch",
    scale: Annotated[
        float,
        typer.Option("--scale", help="Training's setting of that name: its range of sizes counts.", min=0.0, max=0.9),
    ] = 0.0,
    update: Annotated[Update, typer.Option("--update", help="median (better) or mean (the paper's).")] = "median",
    seed: Annotated[int, typer.Option("--seed", help="Where the clustering begins.", min=0)] = 0,
    use: Annotated[bool, typer.Option("--use", help="Keep them in the project: training will use them.")] = False,
    published: Annotated[
        list[str] | None,
        typer.Option("--published", help=f"Compare with a published set, or several: {', '.join(PUBLISHED)}."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw boxes, anchors and the curve over k into this PNG.")
    ] = None,
    format: Annotated[
        str, typer.Option("--format", help=f"Of what is printed: {', '.join(FORMATS)}; all but text can be pasted.")
    ] = "text",
    as_json: Json = False,
) -> None:
    """Cluster the box sizes by IoU k-means, as the YOLOv2 paper does."""
    from workbench.core import edits

    one_of("resize", resize, list(HOWS))
    one_of("format", format, list(FORMATS))
    names = [one_of("published", name, list(PUBLISHED)) for name in published or ()]
    with project_of(project, write=use) as document:
        snapshot = document.snapshot()
        found = engine.anchor_set(snapshot, k, size, resize=resize, update=update, seed=seed, scale=scale)
        sizes = engine.sizes_of(engine.trained(snapshot), size, resize, scale)
        if use:
            document.do(edits.ChangeSetting("anchors", found.to_setting()))
        called = document.folder.name
    step = engine.judge(sizes, found.sizes)
    others = {name: PUBLISHED[name].at(size) for name in names}
    judged = {name: engine.judge(sizes, one) for name, one in others.items()}
    if plot is not None:
        from workbench.anchors.plot import draw_plot

        scales = f", images scaled by up to {scale:.0%}" if scale else ""
        title = f"{called}: {k} anchor{'s' * (k > 1)} at {size} px ({resize}{scales})"
        curve = list(engine.curve(sizes, max(k, CURVE), seed, update))
        sets = {PUBLISHED[name].title: one for name, one in others.items()}
        draw_plot(plot, title, sizes, step, curve, sets, "sizes of boxes" if scale else "boxes")
    if as_json:
        result(_told(found, step, judged, plot, used=use), as_json=True)
    elif format != "text":
        print({"cfg": engine.as_cfg(found.sizes), "json": engine.as_json(found)}.get(format, engine.as_python(found)))
    else:
        _show(found, step, judged)
        if plot is not None:
            say(f"Drawn into {plot}.")
        if use:
            say("Kept in the project.")


def _told(found: AnchorSet, step: Step, judged: dict[str, Step], plot: Path | None, *, used: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "anchors": [list(pair) for pair in found.sizes], "input_px": found.input_px, "mean_iou": found.mean_iou,
        "recall": found.recall, "ratio_recall": step.ratio_recall, "source": found.source, "used": used,
    }  # fmt: skip
    if judged:
        told["published"] = {
            name: {"mean_iou": one.mean_iou, "recall": one.recall, "ratio_recall": one.ratio_recall}
            for name, one in judged.items()
        }
    if plot is not None:
        told["plot"] = str(plot)
    return told


def _show(found: AnchorSet, step: Step, judged: dict[str, Step]) -> None:
    total = max(int(step.counts.sum()), 1)
    table(
        ["anchor", "width px", "height px", "boxes"],
        [
            [number, f"{w:.1f}", f"{h:.1f}", f"{count / total:.1%}"]
            for number, ((w, h), count) in enumerate(zip(found.sizes, step.counts.tolist(), strict=True), 1)
        ],
    )
    say(
        f"Mean IoU {found.mean_iou:.3f}, best possible recall {found.recall:.3f}"
        f" ({step.ratio_recall:.3f} by sides that differ less than {engine.RATIO:g} times)."
    )
    if judged:
        rows = {"these": step, **{PUBLISHED[name].title: one for name, one in judged.items()}}
        table(
            ["set", "anchors", "mean IoU", "recall", "recall by sides"],
            [
                [name, len(one.centres), f"{one.mean_iou:.3f}", f"{one.recall:.3f}", f"{one.ratio_recall:.3f}"]
                for name, one in rows.items()
            ],
        )
