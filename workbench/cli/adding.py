"""Commands that add images to a project: add-images, add-video."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from workbench import console
from workbench.cli.options import Json, Project, app, project_of
from workbench.console import print_result, say
from workbench.core import formatting
from workbench.core.document import Document
from workbench.core.files import SkippedFiles, gather_images
from workbench.core.folders import roots
from workbench.core.folders.image_records import ImageDescriber
from workbench.core.project import Image
from workbench.errors import WorkbenchError

UNSAID = 25  # frames per second of a video that does not say


@app.command(name="add-images")
def add_images(
    project: Project,
    images: Annotated[list[Path], typer.Argument(help="Folders (with their subfolders) and files.")],
    as_json: Json = False,
) -> None:
    """Add photographs that a project does not have yet. They stay where they are and are never changed."""
    if missing := [path for path in images if not os.path.exists(path)]:
        raise WorkbenchError(f"There is no {missing[0]}. Nothing was added.")
    left_out = SkippedFiles()
    named, others = gather_images(images, left_out)
    with project_of(project, write=True) as document, ImageDescriber() as describe_one:
        fresh = {folder: _new(document, folder, names) for folder, names in named.items()}
        added, done, total = 0, 0, sum(map(len, fresh.values()))
        with console.progress_bar("Reading images", quiet=as_json) as progress:
            for folder, names in fresh.items():
                found = []
                for name in names:
                    found.append(describe_one(folder / name, name, 0))
                    progress.to(done := done + 1, total)
                added += len(document.add_described(folder, found))
        given = {os.path.abspath(folder / name) for folder, names in named.items() for name in names}
        noted = [one for one in document.images() if one.problem and os.fspath(document.file(one)) in given]
        again = [(one, _mended(one, document.file(one), describe_one)) for one in noted]
        bad = [one for one, now in again if now is None]
        if mended := [now for _, now in again if now is not None]:
            document.update_headers(mended)
    if others:
        say(f"{formatting.count(len(others), 'file')} left out, not named like images: {others[0]}")
    if left_out.sentence:
        say(left_out.sentence)
    for image in bad:
        say(f"{image.path}: {image.problem}")
    print_result({"images": len(given), "added": added, "unreadable": len(bad)}, as_json=as_json)


def _new(document: Document, folder: Path, names: list[str]) -> list[str]:
    """Those of the folder's images that the project lacks: of a hundred thousand files only these are opened."""
    known = roots.locate(folder, document.folder, document.roots(), document.images()).known
    return roots.new_files(folder, names, known)


def _mended(image: Image, file: Path, describe_one: ImageDescriber) -> Image | None:
    """A damaged image, mended if its file has been copied anew since, else None: its header alone does not tell."""
    from workbench.core import images

    now = describe_one(file, image.path, image.root)
    if now.problem:
        return None
    try:
        images.read(file)
    except WorkbenchError:
        return None
    if image.width:  # boxes may have been drawn in this size: that the file has another one is told where it is shown
        return replace(image, problem="")
    return replace(
        image, width=now.width, height=now.height, orientation=now.orientation, date=now.date, problem=now.problem
    )


@app.command(name="add-video")
def add_video(
    project: Project,
    video: Annotated[Path, typer.Argument(help="A video.")],
    every: Annotated[int, typer.Option("--every", help="Take every n-th frame; 0: one per second.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Add frames of a video as images. They are kept as JPEGs in the project's folder, with frame and time as notes."""
    from workbench.core.decoding import video as videos

    step = every or max(1, round(videos.frame_rate(video) or UNSAID))
    with project_of(project, write=True) as document, console.progress_bar("Reading frames", quiet=as_json) as progress:
        folder, found = videos.folder_of(document.folder, video), []
        for event in videos.extract(video, folder, step):
            progress.to(event.done, event.total or None)
            if event.image is not None:
                found.append(event.image)
            elif event.remark:
                say(event.remark)
        added = len(document.add_described(folder, found))
    print_result({"frames": len(found), "added": added, "folder": str(folder)}, as_json=as_json)
