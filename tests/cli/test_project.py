"""The commands about a project: new, import, export-labels, anchors, check; their numbers, sentences and exit codes."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.core.decoding.test_video import write_clip
from tests.formats.making import picture, text, voc_file, voc_object
from workbench import console, plugins
from workbench.cli import main, options
from workbench.core.decoding import video
from workbench.core.document import Document
from workbench.core.folders.image_records import ImageDescriber

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def cells(test_data: Path, tmp_path: Path, capsys: Capture) -> Path:
    """A project of the 364 photographs of blood cells, with their labels imported."""
    project = tmp_path / "cells ü"
    assert main(["new", str(project), "--images", str(test_data / "data/bccd/BCCD/JPEGImages")]) == console.DONE
    assert main(["import", str(project), str(test_data / "data/bccd/BCCD")]) == console.DONE
    capsys.readouterr()
    return project


def said(capsys: Capture) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


def test_a_new_project_holds_the_images_of_the_folder(test_data: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["new", str(tmp_path / "p"), "--images", str(test_data / "images"), "--json"]) == console.DONE
    assert said(capsys) == {"project": str(tmp_path / "p"), "images": 5, "unreadable": 0}


def test_import_recognises_voc_and_takes_its_splits(cells: Path, capsys: Capture) -> None:
    assert main(["check", str(cells), "--no-files", "--json"]) == console.DONE
    health = said(capsys)
    assert (health["images"], health["boxes"]) == (364, 4888)
    assert health["per_label"] == {"WBC": 372, "RBC": 4155, "Platelets": 361}
    assert health["per_split"] == {"none": 0, "train": 205, "validation": 87, "test": 72}


def test_import_of_yolo_mends_wrong_paths_and_says_so(test_data: Path, tmp_path: Path, capsys: Capture) -> None:
    project, source = tmp_path / "p", test_data / "data/cheetah/data"
    assert main(["new", str(project), "--images", str(source)]) == console.DONE
    capsys.readouterr()
    assert main(["import", str(project), str(source), "--json"]) == console.DONE
    report = said(capsys)
    assert any(remark["level"] == "repaired" for remark in report["remarks"])
    with Document.open(project, read_only=True) as document:
        assert [label.name for label in document.labels()] == ["cheetah", "human"]
        assert len(document.images()) == 129


def test_a_dry_run_changes_nothing(test_data: Path, tmp_path: Path, capsys: Capture) -> None:
    main(["new", str(tmp_path / "p"), "--images", str(test_data / "data/bccd/BCCD/JPEGImages")])
    assert main(["import", str(tmp_path / "p"), str(test_data / "data/bccd/BCCD"), "--dry-run"]) == console.DONE
    assert "Would import" in capsys.readouterr().out
    with Document.open(tmp_path / "p", read_only=True) as document:
        assert document.labels() == ()


def test_an_import_that_fails_changes_nothing_and_names_file_and_line(
    cells: Path, tmp_path: Path, capsys: Capture
) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "a.xml").write_text("<annotation>\n<object>\n</annotation>")
    before = (cells / "project.sqlite").read_bytes()
    assert main(["import", str(cells), str(bad), "--format", "voc"]) == console.FAILED
    assert "a.xml:3" in capsys.readouterr().err
    assert (cells / "project.sqlite").read_bytes() == before


def test_a_label_of_the_files_comes_in_as_another_one_of_the_project(
    cells: Path, capsys: Capture, tmp_path: Path
) -> None:
    picture(tmp_path / "new" / "x.jpg", grey=77)
    text(tmp_path / "new" / "x.xml", voc_file(voc_object("rbc", (2, 3, 20, 25)), filename="x.jpg"))
    command = ["import", str(cells), str(tmp_path / "new"), "--dry-run"]
    assert main(command) == console.DONE
    assert "1 new label" in capsys.readouterr().out
    assert main([*command, "--label", "rbc=RBC"]) == console.DONE
    assert "1 new label" not in capsys.readouterr().out
    assert main([*command, "--label", "rbc"]) == console.MISUSED
    assert "--label rbc: write it as THEIRS=OURS, such as" in capsys.readouterr().err


@pytest.mark.parametrize("format", ["voc", "coco", "yolo", "csv"])
def test_labels_that_were_exported_come_back_when_imported(
    cells: Path, tmp_path: Path, format: str, capsys: Capture, test_data: Path
) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    assert main(["export-labels", str(cells), str(out), "--format", format]) == console.DONE
    assert main(["new", str(again), "--images", str(test_data / "data/bccd/BCCD/JPEGImages")]) == console.DONE
    assert main(["import", str(again), str(out)]) == console.DONE, capsys.readouterr().err
    with Document.open(cells, read_only=True) as old, Document.open(again, read_only=True) as new:
        counts = [{x.name: d.label_counts().get(x.id) for x in d.labels()} for d in (old, new)]
        assert counts[0] == counts[1]


def test_anchors_are_kept_when_asked_for(cells: Path, capsys: Capture) -> None:
    assert main(["anchors", str(cells), "--k", "5", "--size", "320", "--use", "--json"]) == console.DONE
    found = said(capsys)
    assert len(found["anchors"]) == 5
    assert found["mean_iou"] > 0.8
    with Document.open(cells, read_only=True) as document:
        kept = document.anchors()
        assert kept is not None
        assert found["anchors"] == [pytest.approx(pair, abs=5e-4) for pair in kept.sizes]
        assert kept.input_px == 320


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["check", "nowhere"], console.FAILED, "There is no project in"),
        (["new", "p", "--images", "nowhere"], console.FAILED, "There is no folder nowhere"),
        (["train", "nowhere", "--epochs", "many"], console.MISUSED, "Invalid value for '--epochs'"),
        (["trian"], console.MISUSED, "No such command"),
        (["anchors", "nowhere", "--k", "0"], console.MISUSED, "--k"),
        (["restore", "nowhere", "--list", "--json"], console.FAILED, "There is no folder nowhere. Choose a project's."),
        (["restore", ".", "--list"], console.DONE, "There is no copy in backups. One is made in every hour"),
        (["restore", "nowhere", "--text", "--copy", "a"], console.MISUSED, "--text and --copy name two things"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_an_exit_code(
    arguments: list[str], code: int, sentence: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    shown = capsys.readouterr().err
    assert sentence in shown.replace("\n", " ")
    assert "Traceback" not in shown


def test_check_finds_problems_and_says_so_by_its_exit_code(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "empty.jpg").write_bytes(b"")
    assert main(["new", str(tmp_path / "p"), "--images", str(tmp_path / "photographs")]) == console.DONE
    assert main(["check", str(tmp_path / "p")]) == console.PROBLEMS
    found = capsys.readouterr().out  # `workbench check p > report.txt`
    assert "empty.jpg" in found
    assert "2 problems." in found
    assert main(["check", str(tmp_path / "p"), "--no-files"]) == console.PROBLEMS
    assert "copies were not looked for" in capsys.readouterr().out


def test_a_program_reads_which_images_a_finding_of_check_is_about(tmp_path: Path, capsys: Capture) -> None:
    """There was only their number, so that nothing could be done about them in a script."""
    (tmp_path / "photographs").mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
        (tmp_path / "photographs" / name).write_bytes(b"")
    assert main(["new", str(tmp_path / "p"), "--images", str(tmp_path / "photographs")]) == console.DONE
    capsys.readouterr()
    assert main(["check", str(tmp_path / "p"), "--json"]) == console.PROBLEMS
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert all(one["images"] == len(one["files"]) for one in findings)
    named = {Path(file).name for one in findings if one["kind"] == "unreadable" for file in one["files"]}
    assert named == {"a.jpg", "b.jpg", "c.jpg", "d.jpg"}
    assert all(Path(file).is_file() for one in findings for file in one["files"])


def test_the_help_lists_the_commands_in_the_order_of_the_work(capsys: Capture) -> None:
    known = {one.name or one.callback.__name__ for one in options.app.registered_commands if one.callback}
    assert known == set(options.EXAMPLES), "a new command wants its place"
    assert main(["--help"]) == console.DONE
    shown = capsys.readouterr().out
    assert "--safe-mode" in shown
    for name in ("DONE", "FAILED", "MISUSED", "PROBLEMS", "INTERRUPTED"):
        assert re.search(rf"Exit codes:.* {getattr(console, name)} ", shown, re.DOTALL), name
    lines = shown.splitlines()
    first = [line.strip("│| ").split()[0] for line in lines if line.startswith(("│ ", "| ")) and line[2:3].strip()]
    assert [name for name in first if name in known] == [*options.EXAMPLES]


@pytest.mark.parametrize(
    "command", [["train"], ["estimate"], ["evaluate"], ["export"], ["benchmark"], ["compare", "one", "two"]]
)
def test_a_wrong_folder_is_refused_before_anything_slow_is_loaded(
    command: list[str], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "loaded", lambda: pytest.fail("this takes seconds"))
    name, *more = command
    places = [str(tmp_path / "out")] if name == "export" else more
    assert main([name, str(tmp_path / "cels"), *places]) == console.FAILED
    assert "There is no project in" in capsys.readouterr().err


def test_images_are_added_once(tmp_path: Path, capsys: Capture) -> None:
    for name in ("all/a.png", "all/sub/b.png", "more/c.png", "more/d.png"):
        picture(tmp_path / name)
    (tmp_path / "more" / "e.jpg").write_text("no picture")
    assert main(["new", str(tmp_path / "p"), "--images", str(tmp_path / "all")]) == console.DONE
    given = [str(tmp_path / name) for name in ("all/sub", "more/c.png", "more/e.jpg")]
    for added in (2, 0):
        capsys.readouterr()
        assert main(["add-images", str(tmp_path / "p"), *given, "--json"]) == console.DONE
        assert json.loads(capsys.readouterr().out) == {"images": 3, "added": added, "unreadable": 1}
    with Document.open(tmp_path / "p", read_only=True) as document:
        assert [image.path for image in document.images()] == ["a.png", "sub/b.png", "c.png", "e.jpg"]
    (tmp_path / "more" / "notes.txt").write_text("no image")
    picture(tmp_path / "more" / "f.png")
    mixed = [str(tmp_path / name) for name in ("more/f.png", "more", "more/notes.txt", "more/f.png")]
    assert main(["add-images", str(tmp_path / "p"), *mixed, "--json"]) == console.DONE
    told = capsys.readouterr()
    assert json.loads(told.out) == {"images": 4, "added": 2, "unreadable": 1}
    assert "1 file left out, not named like images" in told.err
    assert main(["add-images", str(tmp_path / "p"), str(tmp_path / "more"), str(tmp_path / "none")]) == console.FAILED
    assert "Nothing was added" in capsys.readouterr().err
    with Document.open(tmp_path / "p", read_only=True) as document:
        assert len(document.images()) == 6


def test_of_images_that_are_there_already_none_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A script that adds what is new each night read the headers of a hundred thousand photographs each time."""
    picture(tmp_path / "all" / "a.png")
    assert main(["new", str(tmp_path / "p"), "--images", str(tmp_path / "all")]) == console.DONE
    monkeypatch.setattr(ImageDescriber, "__call__", lambda *_: pytest.fail("it is known"))
    assert main(["add-images", str(tmp_path / "p"), str(tmp_path / "all")]) == console.DONE


def test_an_image_whose_header_alone_is_whole_is_called_unreadable_until_it_is_copied_anew(
    tmp_path: Path, capsys: Capture
) -> None:
    """Its damage was found when it was shown; to look again, only its header was read."""
    file = tmp_path / "all" / "a.jpg"
    picture(file, 400, 300)
    whole = file.read_bytes()
    file.write_bytes(whole[:-200])
    with Document.create(tmp_path / "p", tmp_path / "all") as document:
        (image,) = document.images()
        assert (image.problem, image.width > 0) == ("", True)
        document.update_headers([replace(image, problem="it is cut off")])
    for content, unreadable in ((file.read_bytes(), 1), (whole, 0)):
        file.write_bytes(content)
        capsys.readouterr()
        assert main(["add-images", str(tmp_path / "p"), str(tmp_path / "all"), "--json"]) == console.DONE
        assert said(capsys) == {"images": 1, "added": 0, "unreadable": unreadable}
    with Document.open(tmp_path / "p") as document:
        document.update_headers([replace(document.images()[0], problem="it is cut off")])
    picture(file, 200, 150)
    assert main(["add-images", str(tmp_path / "p"), str(tmp_path / "all")]) == console.DONE
    with Document.open(tmp_path / "p", read_only=True) as document:
        (image,) = document.images()
        assert (image.problem, image.width, image.height) == ("", 400, 300), "boxes were drawn in that size"


def test_a_damaged_image_that_was_copied_anew_is_not_called_unreadable(tmp_path: Path, capsys: Capture) -> None:
    """What was noted of it when it was added was told again, with the advice that had been followed."""
    file = tmp_path / "all" / "a.png"
    picture(file)
    whole = file.read_bytes()
    file.write_bytes(whole[:20])
    assert main(["new", str(tmp_path / "p"), "--images", str(tmp_path / "all")]) == console.DONE
    for content, unreadable in ((whole[:20], 1), (whole, 0)):
        file.write_bytes(content)
        capsys.readouterr()
        assert main(["add-images", str(tmp_path / "p"), str(tmp_path / "all"), "--json"]) == console.DONE
        assert said(capsys) == {"images": 1, "added": 0, "unreadable": unreadable}
        assert main(["images", str(tmp_path / "p"), "--json"]) == console.DONE
        (listed,) = said(capsys)["images"]
        assert (bool(listed["problem"]), listed["width"] > 0) == (bool(unreadable), not unreadable)


def test_of_a_video_that_does_not_say_its_speed_not_every_frame_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """It was: ninety thousand pictures of an hour."""
    Document.create(tmp_path / "p").close()
    monkeypatch.setattr(video, "frame_rate", lambda _: 0.0)
    assert main(["add-video", str(tmp_path / "p"), str(write_clip(tmp_path / "ride.avi")), "--json"]) == console.DONE
    assert said(capsys)["frames"] == 1


def test_a_video_is_added_once(tmp_path: Path, capsys: Capture) -> None:
    clip = write_clip(tmp_path / "ride.avi")
    assert main(["new", str(tmp_path / "p")]) == console.DONE
    for added in (3, 0):  # one a second of four
        capsys.readouterr()
        assert main(["add-video", str(tmp_path / "p"), str(clip), "--json"]) == console.DONE
        said = json.loads(capsys.readouterr().out)
        assert (said["frames"], said["added"]) == (3, added)
    with Document.open(tmp_path / "p", read_only=True) as document:
        assert [image.name for image in document.images()] == [f"ride_{i:06d}.jpg" for i in (0, 4, 8)]
        assert all(document.file(image).is_file() for image in document.images())
    assert main(["add-video", str(tmp_path / "p"), str(tmp_path / "no.avi")]) == console.FAILED
    assert "video does not exist" in capsys.readouterr().err
    assert main(["add-video", str(tmp_path / "p"), str(tmp_path)]) == console.FAILED
    assert "this is a folder. Name a video in it." in capsys.readouterr().err
    whole = write_clip(tmp_path / "long.avi", 80).read_bytes()
    clip.write_bytes(whole[: len(whole) // 2])
    assert main(["add-video", str(tmp_path / "p"), str(clip)]) == console.DONE
    assert "of 20.0 seconds could be read" in capsys.readouterr().err


def test_a_damaged_project_is_made_of_its_text_or_its_newest_copy(cells: Path, capsys: Capture) -> None:
    assert main(["split", str(cells), "--again", "--json"]) == console.DONE
    capsys.readouterr()
    with Document.open(cells, read_only=True) as document:
        before = document.snapshot().digest
    for way, images in (["--text"], 364), ([], 364):
        data = (cells / "project.sqlite").read_bytes()
        (cells / "project.sqlite").write_bytes(data[:20_000] + b"\xff" * 20_000 + data[40_000:])
        assert main(["check", str(cells), "--no-files"]) == console.FAILED
        told = capsys.readouterr().err.replace("\n", " ")
        assert "is damaged and was left as it is. Its copy of" in told
        assert "has 364 images and 4,888 boxes." in told
        assert main(["restore", str(cells), *way, "--json"]) == console.DONE
        assert Path(str(said(capsys)["old"])).is_file()
        with Document.open(cells, read_only=True) as document:
            assert len(document.images()) == images
            if way:
                assert document.snapshot().digest == before
    assert main(["restore", str(cells), "--list", "--json"]) == console.DONE
    (copy,) = said(capsys)["copies"]
    assert main(["restore", str(cells), "--copy", copy["name"]]) == console.DONE
    told = " ".join(capsys.readouterr().err.split())
    assert main(["restore", str(cells / "project.sqlite"), "--list", "--json"]) == console.DONE
    first, before_it = said(capsys)["copies"]
    assert first == copy, "the file's path is as good as the folder's"
    assert before_it["made"].startswith("replaced on ")
    assert f"as it was before: workbench restore {shlex.quote(str(cells))} --copy '{before_it['name']}'" in told
    assert main(["restore", str(cells), "--copy", before_it["name"]]) == console.DONE
    assert main(["restore", str(cells), "--copy", "another"]) == console.FAILED
    for gone in (cells / "backups").iterdir():
        gone.unlink()
    (cells / "project.sqlite").unlink()
    capsys.readouterr()
    assert main(["restore", str(cells)]) == console.FAILED
    assert "Its text is whole: add --text." in " ".join(capsys.readouterr().err.split())
    assert main(["restore", str(cells), "--text", "--json"]) == console.DONE
    assert said(capsys)["old"] == "", "there was nothing to keep"


def test_help_names_every_built_in_format() -> None:
    from workbench import formats
    from workbench.cli.project import LABEL_FORMATS

    registry = formats.load_all()
    odd = set(LABEL_FORMATS.split(", ")) ^ {n for n in registry.names() if registry.owner(n) == "built in"}
    assert not odd, f"in LABEL_FORMATS or in workbench/formats, but not in both: {', '.join(sorted(odd))}"


def test_a_zip_of_labels_comes_in_with_its_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(tmp_path / "set" / "JPEGImages" / "a.jpg")
    text(tmp_path / "set" / "Annotations" / "a.xml", voc_file(voc_object("cat", (1, 2, 10, 12))))
    shutil.make_archive(str(tmp_path / "labels"), "zip", tmp_path / "set")
    project = tmp_path / "p"
    Document.create(project).close()
    assert main(["import", str(project), str(tmp_path / "labels.zip"), "--dry-run"]) == console.DONE
    assert "Would import" in capsys.readouterr().out
    assert not list((project / "imports").glob("labels*")), "nothing was done"
    assert main(["import", str(project), str(tmp_path / "labels.zip")]) == console.DONE, capsys.readouterr().err
    with Document.open(project) as document:
        (image,) = document.images()
        assert document.file(image).is_file()
        assert document.file(image).is_relative_to(project)
        assert len(document.boxes(image.id)) == 1
    assert main(["import", str(project), str(tmp_path / "labels.zip")]) == console.DONE
    assert "1 image the same already" in capsys.readouterr().out
    with Document.open(project) as document:
        assert document.file(document.images()[0]).is_file()


def test_a_zip_of_images_that_are_there_already_leaves_no_second_copy(tmp_path: Path, capsys: Capture) -> None:
    picture(tmp_path / "set" / "JPEGImages" / "a.jpg")
    text(tmp_path / "set" / "Annotations" / "a.xml", voc_file(voc_object("cat", (1, 2, 10, 12))))
    shutil.make_archive(str(tmp_path / "labels"), "zip", tmp_path / "set")
    project = tmp_path / "p"
    Document.create(project, tmp_path / "set" / "JPEGImages").close()
    assert main(["import", str(project), str(tmp_path / "labels.zip")]) == console.DONE, capsys.readouterr().err
    with Document.open(project) as document:
        assert len(document.boxes(document.images()[0].id)) == 1
    assert [entry.name for entry in (project / "imports").glob("[!.]*")] == ["0001 labels (voc).zip"]


def test_a_damaged_zip_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels.zip").write_bytes(b"PK\3\4" + b"x" * 100)
    Document.create(tmp_path / "p").close()
    assert main(["import", str(tmp_path / "p"), str(tmp_path / "labels.zip")]) != console.DONE
    assert "labels.zip" in capsys.readouterr().err
