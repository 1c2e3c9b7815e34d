"""The command that shows what the trainer sees: an image as it enters the network, and what learns its boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.checks import check_detector
from workbench.cli.images import ImageNames
from workbench.cli.options import Json, OldProject, app, check_png, named_values, project_of, with_set_values
from workbench.console import out, print_result, print_table, progress_bar, say
from workbench.core.project import Image, Snapshot
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.training.batches.file_index import FileIndex
    from workbench.training.recipes import Recipe
    from workbench.training.trainer_view.input_assignment import InputAssignment
    from workbench.training.trainer_view.network_input import NetworkInput


@app.command()
def seen(
    project: OldProject,
    image: Annotated[str, typer.Option("--image", help="Its name, the end of its path, or its id.")],
    preset: Annotated[
        str, typer.Option("--preset", "-p", help="A built-in recipe, or the path of a .toml file.")
    ] = "quick-cpu",
    detector: Annotated[str | None, typer.Option("--detector", help="See `workbench detectors`.")] = None,
    epoch: Annotated[int, typer.Option("--epoch", help="The epoch of the training.", min=1)] = 1,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Draw with another seed; default: the recipe's.", min=0)
    ] = None,
    tiles: Annotated[
        int | None,
        typer.Option(
            "--tiles", metavar="PX", help="The training's setting of that name; default: the recipe's.", min=0
        ),
    ] = None,
    overlap: Annotated[
        float | None, typer.Option("--tile-overlap", help="The training's setting of that name.", min=0.0, max=0.75)
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option("--tile", help="Which of its tiles, 0: the whole image; default: that with most boxes.", min=0),
    ] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of the recipe or the detector; may be repeated.")
    ] = None,
    as_it_is: Annotated[bool, typer.Option("--as-it-is", help="Only resized, without augmentation.")] = False,
    picture: Annotated[Path | None, typer.Option("--out", help="Draw it into this PNG.")] = None,
    as_json: Json = False,
) -> None:
    """Show a training image exactly as it enters the network, and which cells, anchors or points learn each box."""
    from workbench.training import recipes

    check_png("out", picture)
    recipes.check_exists(preset)
    asked = {"tiles": tiles, "tile_overlap": overlap}
    values = {**named_values(set), **{name: str(value) for name, value in asked.items() if value is not None}}
    if detector:
        check_detector(detector)
    with project_of(project) as document:
        snapshot, anchors = document.snapshot(), document.anchors()
    found = snapshot.images[ImageNames(snapshot).row(image)]
    from workbench import plugins
    from workbench.training.trainer_view.input_assignment import assign_input, build_detector

    plugins.loaded()
    recipe = recipes.find(preset)
    recipe = with_set_values(recipe.with_detector(detector) if detector else recipe, values)
    view = _view(found, recipe, tile)
    sample = (
        _as_it_is(snapshot, found, recipe, view)
        if as_it_is
        else _in_training(snapshot, found, recipe, view, epoch, seed, as_json)
    )
    labels = tuple(label.name for label in snapshot.labels)
    recipe = replace(recipe, detector_settings=recipe.detector_settings.resolved(labels))
    network = build_detector(recipe, labels, anchors, None)
    roles = assign_input(sample, network)
    if picture is not None:
        _draw(picture, sample, roles)
    if as_json:
        print_result(_to_json(sample, roles, found, network.title, picture), as_json=True)
    else:
        _show(sample, roles, found, network.title)
        if picture is not None:
            say(f"Drawn into {picture}.")


def _view(image: Image, recipe: Recipe, tile: int | None) -> int:
    """The number of the view that --tile names. WorkbenchError if the image has no such tile."""
    from workbench.core.snapshot_views import FULLEST
    from workbench.training.batches.image_views import tiles_of

    if tile is None:
        return FULLEST
    there = len(tiles_of(image, recipe.training))
    if not there:
        why = f"is not larger than a tile of {recipe.training.tiles:,} px" if recipe.training.tiles else "has no tiles"
        advice = "Leave out --tile." if recipe.training.tiles else "Say how large they are with --tiles."
        raise WorkbenchError(f"{image.path} {why}. {advice}")
    if tile > there:
        raise WorkbenchError(f"{image.path} has {there:,} tiles. Choose a --tile from 1 to {there:,}; 0 is the whole.")
    return tile


def _as_it_is(snapshot: Snapshot, image: Image, recipe: Recipe, view: int) -> NetworkInput:
    from workbench.training.trainer_view import network_input

    return network_input.unaugmented_input(snapshot, image.id, recipe, view)


def _in_training(
    snapshot: Snapshot, image: Image, recipe: Recipe, view: int, epoch: int, seed: int | None, quiet: bool
) -> NetworkInput:  # fmt: skip
    """Reads all training images first: those that can't be read are left out, which shifts the others."""
    from workbench.training import prepare
    from workbench.training.batches.file_index import FileIndex
    from workbench.training.trainer_view.network_input import make_input_sequence

    epochs = recipe.training.epochs
    if epoch > epochs:
        raise WorkbenchError(f"The training has {epochs:,} epochs. Choose an --epoch from 1 to {epochs:,}.")
    files = FileIndex()
    train = prepare.select_images(snapshot, recipe.training)[0]
    if any(one.id == image.id for one in train.images):  # else it is refused below
        _read_all(train, files, quiet)
    plan = make_input_sequence(snapshot, recipe, files)
    outside = plan.exclusion_reason(image, view)
    if outside:
        what = f"Tile {view:,} of {image.path}" if view > 0 and not plan.exclusion_reason(image) else image.path
        raise WorkbenchError(f"{what} is not trained on: {outside}. See it with --as-it-is.")
    return plan.in_epoch(plan.index(image.id, view), epoch - 1, seed)


def _read_all(train: Snapshot, files: FileIndex, quiet: bool) -> None:
    with progress_bar("Reading images", len(train), quiet=quiet) as shown:
        for done, file in enumerate(train.files, 1):
            files.read(file, train.window)
            shown.to(done, len(train))


def _draw(file: Path, sample: NetworkInput, assignment: InputAssignment) -> None:
    import cv2

    from workbench.core.files import atomic_write
    from workbench.training.trainer_view.input_drawing import draw

    made, data = cv2.imencode(".png", cv2.cvtColor(draw(sample, assignment), cv2.COLOR_RGB2BGR))
    assert made
    atomic_write(file, data.tobytes())


def _to_json(
    sample: NetworkInput, found: InputAssignment, image: Image, title: str, picture: Path | None
) -> dict[str, Any]:
    names, why = [label.name for label in sample.snapshot.labels], dict(found.unmatched)
    small = {m for m, one in sample.ignored_as().items() if one.small}
    boxes = [
        {
            "label": names[label], "box": [round(edge, 2) for edge in sample.boxes[m].tolist()],
            "learnt_by": found.of_box(m), "ignored": bool(sample.ignore[m]) and m not in small, "why": why.get(m, ""),
        }
        for m, label in enumerate(sample.labels.tolist())
    ]  # fmt: skip
    gone = [
        {"label": names[int(sample.snapshot.label_index[one.row])], "why": one.reason}
        for one in sample.lost if one.gone
    ]  # fmt: skip
    return {
        "image": image.path, "detector": title, "side": sample.side, "step": sample.step + 1, "steps": sample.steps,
        "place": sample.place + 1, "parts": [sample.snapshot.images[part].path for part in sample.parts],
        "levels": [list(grid) for grid in found.explained.layout.grids], "boxes": boxes, "gone": gone,
        "tile": sample.view, "tiles": sample.tiles, "note": found.note,
        "picture": None if picture is None else str(picture),
    }  # fmt: skip


def _show(sample: NetworkInput, assignment: InputAssignment, image: Image, title: str) -> None:
    values = _to_json(sample, assignment, image, title, None)
    when = f"step {sample.step + 1:,} of {sample.steps:,}" if sample.step >= 0 else "not augmented"
    tile = f", {sample.view_name}" if sample.tiles else ""
    say(f"{image.path}{tile} in {title}, {sample.side} × {sample.side} px, {when}")
    others = values["parts"][1:]
    if others:
        say(f"With parts of {', '.join(others)}")
    levels = ", ".join(f"{rows}x{columns}" for rows, columns in values["levels"])
    sides = [f"{box['box'][2] - box['box'][0]:.1f} x {box['box'][3] - box['box'][1]:.1f}" for box in values["boxes"]]
    rows: list[list[Any]] = [
        [box["label"], size, " ".join(map(str, box["learnt_by"])), box["why"]]
        for box, size in zip(values["boxes"], sides, strict=True)
    ]
    rows += [[one["label"], "", "", one["why"]] for one in values["gone"]]
    if rows:
        print_table(["box", "size", f"learnt by ({levels})", "why not"], rows)
    else:
        out.print("No box is visible.")
    if assignment.note:
        say(assignment.note)
