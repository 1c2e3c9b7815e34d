"""Names in foreign files never lead outside: what is opened, listed and written is watched as they come in and go out.

Allowed are the data set's folder and the project's, with all links followed. In the full form every name is tried in
every place of a path of every format, in the short form each name in some of them.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.formats.making import snapshot
from tests.promises import attack_names
from tests.promises.attack_names import USES
from tests.promises.form import times
from tests.promises.format_readers import no_plugin_stays, reader  # noqa: F401
from tests.promises.watching import watched
from workbench import formats
from workbench.core.document import Document
from workbench.core.project import Box, Image, Snapshot, Split, State
from workbench.errors import WorkbenchError
from workbench.exchange import ImportSettings, apply_import, export_labels, plan_import

EXPORTED = tuple(dict.fromkeys(format for format, _ in USES.values()))
Import = Callable[[Path], str]
Export = Callable[[Snapshot, Path], None]


def shown(name: str) -> str:
    return f"{name!a:.60}"


def import_attacks(use: str, folder: Path, bring_in: Import, step: int) -> tuple[Counter[str], list[str]]:
    """Every `step`th attack in this place, and how each went; what was touched outside."""
    data, outside = attack_names.place(folder)
    before = (outside / "secret.png").stat().st_mtime_ns, (outside / "secret.png").read_bytes()
    outcomes, bad = Counter[str](), list[str]()
    for name in attack_names.names(outside)[list(USES).index(use) % step :: step]:
        files = USES[use][1](name)
        attack_names.write(files, data)
        with watched(data, folder / "project") as seen:
            outcomes[bring_in(data)] += 1
        bad += [f"{shown(name)}: {one}" for one in seen]
        for file in files:
            (data / file).unlink()
    assert ((outside / "secret.png").stat().st_mtime_ns, (outside / "secret.png").read_bytes()) == before
    return outcomes, bad


@pytest.mark.parametrize("use", USES)
def test_no_name_in_a_foreign_file_leads_outside(use: str, tmp_path: Path) -> None:
    format = USES[use][0]
    reader(format)  # the plugin is registered
    with Document.create(tmp_path / "project") as document:

        def bring_in(data: Path) -> str:
            try:
                formats.recognise(data)
                plan = plan_import(document, data, format, settings=ImportSettings(skip_broken=True))
                apply_import(document, plan)
            except WorkbenchError:
                return "refused"
            inside = [image.file for image in plan.reading.images if image.file]
            assert all(file.resolve().is_relative_to(data.resolve()) for file in inside)
            return "left out" if len(inside) < len(plan.reading.images) else "looked for inside"

        outcomes, bad = import_attacks(use, tmp_path, bring_in, times(5, 1))
        assert all(document.file(image).resolve().is_relative_to(tmp_path / "data") for image in document.images())
    print(f"{use}: {sum(outcomes.values())} names, {dict(outcomes)}, {len(bad)} opened outside")
    assert not bad


@pytest.mark.parametrize("use", [use for use in USES if "list" not in use])
def test_annotation_files_that_are_links_to_outside_are_not_opened(use: str, tmp_path: Path) -> None:
    data, outside = attack_names.place(tmp_path)
    format, make = USES[use]
    member = reader(format)
    files = make("images/train/a.png")
    attack_names.write(files, outside)
    for name in files:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).symlink_to(outside / name)
    with watched(data) as seen:
        try:
            formats.recognise(data)
            reading = formats.formats.get(format).read(data)
            assert all("outside" in remark.sentence for remark in reading.remarks if remark.file in files)
        except WorkbenchError:
            pass
    assert not seen
    attack_names.write(files, data / "own")  # negative control: the same files as files are read
    assert member(data / "own", ImportSettings()).source


def attacked_snapshot(name: str, file: Path, split: Split) -> Snapshot:
    """A project whose image and label have this name; the image is really `file`."""
    image = Image(1, name, 64, 64, State.DONE, split)
    text = name.encode("utf-8", "replace").decode()  # no project holds half a character
    made = snapshot([text], [image], [Box(1, 0, 0, (1.0, 2.0, 9.0, 10.0), note=text)])
    return Snapshot(
        labels=made.labels, images=made.images, files=(file,), offsets=made.offsets, boxes=made.boxes,
        label_index=made.label_index, flags=made.flags, box_ids=made.box_ids, notes=made.notes,
    )  # fmt: skip


def export_attacks(folder: Path, export: Export, step: int, offset: int = 0) -> tuple[Counter[str], list[str]]:
    data, outside = attack_names.place(folder)
    outcomes, bad = Counter[str](), list[str]()
    before = sorted(folder.rglob("*"))
    for number, name in enumerate(attack_names.names(outside)[offset % step :: step]):
        made = attacked_snapshot(name, data / "images/train/a.png", list(Split)[number % len(Split)])
        with watched(folder / "out", data / "images") as seen:
            try:
                export(made, folder / "out")
                outcomes["written inside"] += 1
            except WorkbenchError:
                outcomes["refused"] += 1
        bad += [f"{shown(name)}: {one}" for one in seen]
        shutil.rmtree(folder / "out", ignore_errors=True)
    assert sorted(folder.rglob("*")) == before or bad
    return outcomes, bad


@pytest.mark.parametrize("format", EXPORTED)
def test_no_name_in_a_project_is_written_outside(format: str, tmp_path: Path) -> None:
    reader(format)

    def export(made: Snapshot, folder: Path) -> None:
        export_labels(made, format, folder, copy_images=True)

    outcomes, bad = export_attacks(tmp_path, export, times(3, 1), EXPORTED.index(format))
    print(f"export {format}: {sum(outcomes.values())} names, {dict(outcomes)}, {len(bad)} written outside")
    assert not bad
    assert outcomes["written inside"] > sum(outcomes.values()) / 4  # many are only odd


# negative controls


def test_control_a_reader_that_joins_folder_and_name_is_seen(tmp_path: Path) -> None:
    def bring_in(data: Path) -> str:
        for image in json.loads((data / "x.json").read_text())["images"]:
            try:
                (data / image["file_name"].replace("\\", "/")).open("rb").close()
            except (OSError, ValueError):
                continue
        return "read"

    _, bad = import_attacks("coco file_name", tmp_path, bring_in, 1)
    print(f"control, joined: {len(bad)} opened outside")
    assert len(bad) > 10
    assert all(any(link in one for one in bad) for link in ("link.png", "linked/"))


def test_control_an_export_that_joins_folder_and_name_is_seen(tmp_path: Path) -> None:
    def export(made: Snapshot, folder: Path) -> None:
        try:
            file = folder / made.images[0].path.replace("\\", "/")
            if not file.is_relative_to(folder):  # the control must not really write into /etc
                raise ValueError("absolute")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.with_suffix(".txt").open("w").close()
        except (OSError, ValueError) as error:
            raise WorkbenchError(str(error)) from error

    names = [n for n in range(len(attack_names.NAMES)) if attack_names.NAMES[n].startswith("..")]
    _, bad = export_attacks(tmp_path, export, 1)
    print(f"control, joined export: {len(bad)} written outside")
    assert len(bad) >= len(names) // 2
