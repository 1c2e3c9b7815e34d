"""Commands about a project and its labels: new, import, export-labels, check; see adding.py and splits.py for more."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench import console, settings
from workbench.cli.options import Json, Project, app, check_choice, project_of, typed, update_text
from workbench.console import print_result, print_table, say
from workbench.core.document import Document
from workbench.core.files import SkippedFiles, walk_images
from workbench.core.formatting import count
from workbench.core.store import FILE
from workbench.errors import Misused, WorkbenchError

NAMED = 3  # the most images named in a finding
LABEL_FORMATS = "voc, coco, yolo, cvat, labelme, createml, labelstudio, vott, openimages, kitti, tfcsv"
"""The built-in formats, without importing them; compared in tests/cli/test_project.py."""


@app.command()
def new(
    project: Project,
    images: Annotated[Path | None, typer.Option("--images", help="The folder with your photographs.")] = None,
    name: Annotated[str, typer.Option("--name", help="Its name; default: the folder's name.")] = "",
    as_json: Json = False,
) -> None:
    """Make a project. The photographs stay where they are and are never changed."""
    with Document.create(project, images, name) as document:
        update_text(document)
        left_out = SkippedFiles()
        if images is not None:
            sum(1 for _ in walk_images(images, left_out))
        if left_out.sentence:
            say(left_out.sentence)
        bad = [image for image in document.images() if image.problem]
        for image in bad:
            say(f"{image.path}: {image.problem}")
        if images is not None and not document.images():
            say(f"There are no images in {images}: the project is empty.", quiet=as_json)
        print_result(
            {"project": str(document.folder), "images": len(document.images()), "unreadable": len(bad)}, as_json=as_json
        )


@app.command()
def restore(
    project: Project,
    copy: Annotated[
        str, typer.Option("--copy", help="Which one, by its name in --list; default: the newest good one.")
    ] = "",
    text: Annotated[bool, typer.Option("--text", help="Rebuild the project from its text in labels/ instead.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List the copies, without changing anything.")] = False,
    as_json: Json = False,
) -> None:
    """Go back to a copy of the project's file (made in every hour with changes), or to its text.

    The text is newer than the copies, but has no history of edits. What is replaced is kept and listed as a copy.
    """
    from workbench.core.storage import backups, mirror

    if copy and text:
        raise Misused("--text and --copy name two things to go back to. Leave out one of them.")
    project = project.parent if project.name == FILE else project  # the file's path, accepted as in every other command
    if not os.path.isdir(project):
        raise WorkbenchError(f"There is no folder {project}. Choose a project's.")
    made = [*backups.backups(project), *backups.replaced(project)]
    if show:
        if as_json:
            print_result({"copies": [{"name": b.file.name, "made": b.words} for b in made]}, as_json=True)
        elif not made:
            say(f"There is no copy in {project / backups.FOLDER}. One is made in every hour with changes.")
        else:
            print_table(["Copy", "made"], [[b.file.name, b.words] for b in made])
        return
    if text:
        info = mirror.read_info(project)
        old = backups.restore(project, info)
        held = {"images": info.images, "boxes": info.boxes}
        print_result({"restored": "text", **held, "old": str(old or "")}, as_json=as_json)
        _say_way_back(project, old, quiet=as_json)
        return
    chosen = next((b for b in made if b.file.name == copy), None) if copy else backups.newest_good(project)
    if chosen is None:
        what = f"no copy called '{copy}'" if copy else "no good copy"
        text_too = "" if copy or backups.text_of(project) is None else " Its text is whole: add --text."
        raise WorkbenchError(f"There is {what} in {project / backups.FOLDER}. See --list.{text_too}")
    old = backups.restore(project, chosen)
    print_result({"restored": chosen.file.name, "made": chosen.words, "old": str(old or "")}, as_json=as_json)
    _say_way_back(project, old, quiet=as_json)


def _say_way_back(project: Path, old: Path | None, *, quiet: bool) -> None:
    from workbench.core.storage import backups

    if old is not None and old.name in {copy.file.name for copy in backups.replaced(project)}:
        command = console.command_line("restore", project, "--copy", old.name)
        say(f"To have it as it was before: {command}", quiet=quiet)


@app.command(name="import")
def import_(
    project: Project,
    path: Annotated[Path, typer.Argument(help="A folder or file with labels of another tool.")],
    format: Annotated[str | None, typer.Option("--format", help=f"{LABEL_FORMATS}; default: recognised.")] = None,
    images: Annotated[Path | None, typer.Option("--images", help="Where the images are, if not beside.")] = None,
    on_existing: Annotated[
        str,
        typer.Option("--on-existing", help="Images labelled differently here: update, refuse, keep, replace or add."),
    ] = "update",
    on_size: Annotated[
        str, typer.Option("--on-size", help="For annotations made at another size than the file's: keep or scale.")
    ] = "keep",
    voc_base: Annotated[
        str, typer.Option("--voc-base", help="Number of the first pixel in VOC files: auto, 0 or 1.")
    ] = "auto",
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label", help="THEIRS=OURS: what the files call THEIRS is the label OURS here. May be repeated."
        ),
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out damaged entries, with a remark.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would happen, without changing anything.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every remark, not the first 20.")] = False,
    as_json: Json = False,
) -> None:
    """Import labels from other programs into a project: all of them, or nothing."""
    from workbench import exchange, plugins

    plugins.loaded()
    given = {"on_existing": on_existing, "on_size": on_size, "voc_base": voc_base, "skip_broken": skip_broken}
    with typed():
        chosen = settings.with_values(exchange.ImportSettings(), given)
    with (
        project_of(project, write=not dry_run) as document,
        _unpacked(document.folder, path, quiet=as_json) as (source, keep),
    ):
        plan = exchange.plan_import(document, source, format, images, chosen, _matches(label or ()))
        if dry_run:
            done: exchange.ImportPlan | exchange.ImportReport = plan
        else:
            if plan.added:
                keep()  # before the edit: files of the project's images must never be removed
            done = report = exchange.apply_import(document, plan)
            exchange.keep_files(document.folder, plan, report)
    if as_json:
        remarks = [{"level": r.level, "file": r.file, "line": r.line, "sentence": r.sentence} for r in done.remarks]
        numbers = {name: getattr(done, name) for name in ("added", "missing", "left", "boxes", "replaced")}
        numbers["splits"] = plan.splits
        print_result(
            {"done": not dry_run, **numbers, "new_labels": list(done.new_labels), "remarks": remarks}, as_json=True
        )
        return
    _remarks(done.remarks, everything=verbose)
    console.out.print(console.printable(("Would import " if dry_run else "") + done.sentence))


def _matches(given: Sequence[str]) -> dict[str, str]:
    matches: dict[str, str] = {}
    for text in given:
        theirs, equals, ours = text.partition("=")
        if not (theirs.strip() and equals and ours.strip()):
            raise Misused(f"--label {text}: write it as THEIRS=OURS, such as --label 'rbc=red cell'.")
        matches[theirs.strip()] = ours.strip()
    return matches


@contextlib.contextmanager
def _unpacked(project: Path, path: Path, *, quiet: bool) -> Iterator[tuple[Path, Callable[[], None]]]:
    """`path`, or the folder it was unpacked into, which is removed again unless the returned call keeps it."""
    from workbench.core.parsing import archives

    if not archives.is_archive(path):
        yield path, lambda: None
        return
    with console.progress_bar("Unpacking", quiet=quiet) as progress:
        folder = archives.unpack_zip(path, archives.unpack_folder(project, path), progress.to)
    try:
        yield folder, lambda: archives.mark_used(folder)
    finally:
        archives.discard(folder)  # except what was kept


def _remarks(remarks: tuple[Any, ...], *, everything: bool) -> None:
    shown = remarks if everything else remarks[:20]
    for remark in shown:
        place = f"{remark.file}:{remark.line}: " if remark.line else f"{remark.file}: " if remark.file else ""
        say(f"{remark.level:>8}  {place}{remark.sentence}")
    if len(remarks) > len(shown):
        say(f"          ... and {len(remarks) - len(shown):,} more remarks (--verbose shows all)")


@app.command(name="find-images")
def find_images(
    project: Project,
    folder: Annotated[Path, typer.Argument(help="Where the photographs are now.")],
    was: Annotated[
        Path | None, typer.Option("--was", help="Where they were, if several folders of the project are missing.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say where the photographs are now, if their folder was moved or the project was copied to another machine."""
    from workbench.core.folders import lost_folders

    with project_of(project, write=True) as document:
        gone = lost_folders.find_lost_folders(document)
        chosen = [one for one in gone if was is None or one.folder == was.absolute()]
        if not gone:
            raise WorkbenchError("All photographs of this project are still in place; nothing was changed.")
        if len(chosen) != 1:
            listed = ", ".join(str(one.folder) for one in gone)
            raise WorkbenchError(f"Choose with --was which folder you mean. These are missing: {listed}")
        sentence = lost_folders.move(document, chosen[0], folder)
        say(sentence, quiet=as_json)
        print_result({"images": chosen[0].images, "folder": str(document.roots()[chosen[0].root])}, as_json=as_json)


@app.command(name="export-labels")
def export_labels(
    project: Project,
    folder: Annotated[Path, typer.Argument(help="A new folder for the files.")],
    format: Annotated[str, typer.Option("--format", help=f"{LABEL_FORMATS}, or a plugin's.")],
    copy_images: Annotated[bool, typer.Option("--copy-images", help="Copy the images too.")] = False,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Write into a folder that is not empty, and remove what the last export wrote there and this one "
            "doesn't.",
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every remark, not the first 20.")] = False,
    as_json: Json = False,
) -> None:
    """Write the labels for another tool, and say what its format can't store."""
    from workbench import exchange, plugins

    plugins.loaded()
    with project_of(project) as document:
        snapshot, home = document.snapshot(), document.folder
    with console.progress_bar("Copying images", quiet=as_json or not copy_images) as progress:
        done = exchange.export_labels(snapshot, format, folder, copy_images, replace, progress.to, project=home)
    with Document.open(project) as document:
        exchange.remember(document, done, snapshot.labels, copy_images)
    if not as_json:
        _remarks(done.remarks, everything=verbose)
    values: dict[str, Any] = {"format": done.format, "folder": str(done.folder), "files": len(done.files)}
    values |= {"images": done.images, "boxes": done.boxes, "copied": done.copied, "removed": done.removed}
    if as_json:
        keys = ("level", "file", "line", "sentence")
        values["remarks"] = [{key: getattr(remark, key) for key in keys} for remark in done.remarks]
    print_result(values, as_json=as_json)


@app.command()
def autosync(
    project: Project,
    format: Annotated[str, typer.Option("--format", help="yolo, voc, or off; default: as chosen before.")] = "",
    as_json: Json = False,
) -> None:
    """Keep YOLO or VOC label files beside the images up to date, for people who use other programs on them."""
    from workbench.exchange import autosync as beside

    format = check_choice("format", format, ["", *beside.FORMATS, "off"])
    with project_of(project, write=True, beside=False) as document:
        if format:
            beside.choose_format(document, "" if format == "off" else format)
        chosen = beside.chosen_format(document)
        if not chosen:
            print_result({"format": "off"}, as_json=as_json)
            return
        synced = beside.update_files(document.folder, chosen, document.snapshot())
        beside.remember(document, synced)
    named = {"another program's": synced.foreign, "failed": synced.failed, "sharing": synced.sharing}
    if as_json:
        written = {name: [str(file) for file in files] for name, files in named.items()}
        print_result({"format": chosen, "written": synced.files, "current": synced.current, **written}, as_json=True)
        return
    for name, files in named.items():
        for file in files[:20]:
            say(f"{name}: {file}")
    console.out.print(console.printable(synced.sentence))


@app.command()
def check(
    project: Project,
    files: Annotated[
        bool, typer.Option("--files/--no-files", help="Open every image file: damage, and copies.")
    ] = True,
    as_json: Json = False,
) -> int | None:
    """Look for what would spoil a training: bad files, odd boxes, leaks between splits. Exit code 3 if found."""
    from workbench import health
    from workbench.report import show_health

    with project_of(project) as document:
        snapshot = document.snapshot()
    found = show_health(health.examine(snapshot, open_files=files), quiet=as_json or not files)
    if as_json:
        places = {image.id: str(file) for image, file in zip(snapshot.images, snapshot.files, strict=True)}
        findings = [
            {"level": f.level, "kind": f.kind, "sentence": f.sentence, "images": len(f.images),
             "files": [places[id] for id in f.images]} for f in found.findings
        ]  # fmt: skip
        counts = {"per_label": dict(found.per_label), "per_split": dict(found.per_split), "findings": findings}
        print_result({"images": found.images, "boxes": found.boxes, "labelled": found.labelled, **counts}, as_json=True)
    else:
        print_result({"images": found.images, "labelled": found.labelled, "boxes": found.boxes}, as_json=False)
        print_table(["label", "boxes"], [list(row) for row in found.per_label])
        print_table(["split", "images"], [list(row) for row in found.per_split])
        paths = {image.id: image.path for image in snapshot.images}
        for finding in found.findings:
            names = [paths[id] for id in finding.images[:NAMED] if paths[id] not in finding.sentence]
            more = f" and {len(finding.images) - NAMED:,} more" if len(finding.images) > NAMED else ""
            where = f" In {', '.join(names)}{more}." if names else ""
            line = console.printable(f"{finding.level:>8}  {finding.sentence}{where}")
            console.out.print(line)
        looked = "" if files else " The image files were not opened, so damaged ones and copies were not looked for."
        line = f"{count(found.problems, 'problem')}." if found.problems else "No problems."
        console.out.print(f"{line}{looked}")
    return console.PROBLEMS if found.problems else None
