"""Every command in README.md and the help pages is run: here, in one story on a small project, or by RUN_BY.

Commands that would take minutes get further options at the end, which make them small; all that is shown stays. Those
that need several processes or another program's library are only parsed here, and RUN_BY names the test that runs them.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image as Picture
from typer.core import TyperGroup
from typer.main import get_command

from tests.core.decoding.test_video import write_clip
from tests.formats.making import text, voc_file, voc_object
from workbench import console, detectors
from workbench.cli import main
from workbench.cli.options import EXAMPLES, app
from workbench.core.document import Document
from workbench.core.files import resource
from workbench.errors import WorkbenchError

ROOT = Path(__file__).resolve().parents[1]
HELP = sorted(resource("help").glob("*.md"))
PAGES = [file for file in (ROOT / "README.md", *HELP) if file.is_file()]
MODEL, DISK = resource("help", "exporting-and-deploying.md"), resource("help", "where-things-are.md")
PROJECT = ("cells", "/data/cells")  # what pages call it, too
FOLDERS = {"/mnt/photographs": "moved", "FOLDER": "photographs"}
SMALL = "--set input_px=64 --set width=0.05 --batch 4 --precision fp32 --device cpu --threads 1"
MORE = {
    "train": f"{SMALL} --epochs 1",
    "estimate": SMALL,
    "seen": "--set width=0.05",
    "evaluate": "--device cpu --run yolov4-tiny-1",
    "point": "--run yolov4-tiny-1",
    "predict": "--device cpu --run yolov4-tiny-1 --tiles 64 --tile-overlap 0.3",
    "compare": "--device cpu --draws 5",
    "import-weights": "--set input_px=64 --set width=0.05",
}
IDS = "--coco-ids ids.json"  # with the format that takes them
STORY = (  # in an order in which they can be run; what is missing here must be in RUN_BY
    "--help", "new", "add-images", "add-video", "import", "export-labels", "autosync", "check", "labels", "undo",
    "text", "images", "split", "anchors", "estimate", "train", "seen", "runs", "evaluate", "point", "predict",
    "compare", "import-weights", "weights", "detectors", "restore", "find-images",
)  # fmt: skip
RUN_BY = {  # by the start of the command
    "PROJECT": "tests/promises/closing_child.py",
    "demo": ".ci/run",
    "--safe-mode": "tests/test_plugins.py",
    "anchors PROJECT --k 9 --size 416 --plot": "tests/cli/test_anchors.py",
    "train PROJECT --name": "tests/cli/test_clumsy_use.py",
    "train PROJECT --folds": "tests/cli/test_cross_validation.py",
    "evaluate PROJECT --split folds": "tests/cli/test_cross_validation.py",
    "compare PROJECT yolov4-tiny-1-fold-1": "tests/cli/test_cross_validation.py",
    "train PROJECT --processes": "tests/training/hardware/test_launch.py",
    "predict PROJECT --webcam": "tests/cli/test_predict.py",
    "predict PROJECT - ": "tests/cli/test_predict.py",
    "predict PROJECT photographs/ --out found --shard": "tests/cli/test_predict.py",
    "predict --merge": "tests/cli/test_predict.py",
    "export": "tests/inference/exporting/test_export.py",
    "benchmark": "tests/cli/test_training.py",
    "plugins": "tests/test_plugins.py",
}
OTHERS = {  # flags of other programs: torchrun, SLURM's, uv, pip, pytest; and of the program as a whole
    *("--nproc-per-node", "--nnodes", "--rdzv-backend", "--rdzv-endpoint", "--rdzv-id", "--nodes", "--extra"),
    *("--ntasks-per-node", "--gpus-per-node", "--cpus-per-task", "--time", "--signal", "--ignore", "--plugins"),
    *("--node-rank", "--master-addr", "--master-port", "--help", "--safe-mode", "--require-hashes", "--no-deps"),
}


@lru_cache
def commands() -> tuple[str, ...]:
    """What follows `workbench` in code blocks and in the text, without duplicates, in the order of STORY."""
    found: dict[str, None] = {}
    for page in PAGES:
        written = page.read_text("utf-8")
        blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", written, re.DOTALL | re.MULTILINE))
        blocks = re.sub(r"\\\n\s*", "", blocks)
        blocks = re.sub(r"\[(torchrun, .*)\]", lambda listed: listed[1].replace(",", ""), blocks)  # of Kubernetes
        inside = re.findall(r"`(workbench [a-z-]+\s[^`]+|workbench --[^`]+)`", written)
        lines = [re.sub(r"\s{2,}#.*", "", line) for line in blocks.splitlines()]
        for line in [*lines, *(" ".join(one.split()) for one in inside)]:
            match = re.search(r"(?:^|[\s/\\])workbench (.+?)(?:;| &&|$)", line)
            if match and not match[1].startswith("COMMAND"):
                words = ["PROJECT" if word in PROJECT else word for word in shlex.split(match[1])]
                found[shlex.join(words)] = None
    order = {name: number for number, name in enumerate(STORY)}
    return tuple(sorted(found, key=lambda command: order.get(command.split()[0], len(order))))


def run_by(command: str) -> str:
    """The file that runs it, "" if it runs here."""
    first = [file for begin, file in RUN_BY.items() if f"{command} ".startswith(begin if " " in begin else f"{begin} ")]
    return first[0] if first else ""


HERE = [command for command in commands() if not run_by(command)]
THERE = [command for command in commands() if run_by(command)]


def flags(command: str) -> set[str]:
    return {word for word in command.split() if word.startswith("--")}


def test_commands_are_found_wherever_they_stand() -> None:
    assert "new PROJECT --images '~/photographs'" in commands(), "with a remark behind it"
    assert "demo" in commands(), "behind others in its line"
    assert "anchors PROJECT --k 9 --size 416 --plot out.png" in commands(), "in the text"
    assert "train PROJECT --name PROJECT" in commands(), "a list of Kubernetes"
    assert "train PROJECT --name '$SLURM_JOB_ID'" in commands(), "in two lines"
    assert "train PROJECT --detector yolov4 --preset published" in commands(), "by torchrun"


@pytest.mark.slow
def test_every_command_does_what_it_is_shown_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "1812")
    monkeypatch.setattr(typer, "confirm", lambda _, err: False)  # nothing is downloaded
    materials(tmp_path)
    for command in HERE:
        words = [FOLDERS.get(word, os.path.expandvars(os.path.expanduser(word))) for word in shlex.split(command)]
        prepare(words, tmp_path)
        more = f"{MORE.get(words[0], '')} {IDS if 'coco' in words else ''}"
        code = main([*words, *shlex.split(more)])
        problems = (console.PROBLEMS,) if words[0] == "check" else ()  # finding some is its purpose
        assert code in (console.DONE, *problems), f"workbench {command}\n{capsys.readouterr().err}"
    said = re.sub(r"```.*?```", "", DISK.read_text("utf-8"), flags=re.DOTALL)
    listed = [name.split("/")[0].replace("DATE", "*") for name in re.findall(r"`([^`]+)`", said)]
    made = [entry.name for folder in (".", "runs/yolov4-tiny-1") for entry in (tmp_path / "PROJECT" / folder).iterdir()]
    assert {"imports", "runs", "events.jsonl"} <= set(made)
    assert [name for name in made if not any(fnmatch(name, one) for one in listed)] == [], f"{DISK.name} tells of all"


def materials(folder: Path) -> None:
    """Photographs of noise, each with a box, a video, and whatever else the commands name."""
    (folder / "photographs").mkdir()
    for number in range(1, 13):
        name = f"{number}.jpg"
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
        Picture.fromarray(pixels).save(folder / "photographs" / name)
        box = voc_object("cell", (5, 8, 20 + 3 * number, 60 - 3 * number))
        text(folder / "annotations" / f"{number}.xml", voc_file(box, size=(64, 64), filename=name))
    write_clip(folder / "ride.avi").rename(folder / "ride.mp4")
    text(folder / "list.txt", "photographs/1.jpg\nphotographs/2.jpg\n")
    text(folder / "coco.names", "cell\nplatelet\n")
    images = [{"id": 7, "file_name": "1.jpg", "width": 64, "height": 64}]
    text(
        folder / "ids.json",
        json.dumps({"images": images, "annotations": [], "categories": [{"id": 3, "name": "cell"}]}),
    )


def prepare(words: list[str], folder: Path) -> None:
    """Do what must precede a command, by hand or because another one ran for hours."""
    if words[0] == "import-weights":
        from workbench.detectors.parts import darknet

        kind = detectors.load_all().get(words[words.index("--detector") + 1]).settings_class
        darknet.write(detectors.build("yolov4-tiny", kind(input_px=64, width=0.05), 2), folder / words[1])
    if words[0] == "compare":
        runs = folder / "PROJECT" / "runs"
        for name in {words[2], words[3]} - set(os.listdir(runs)):
            (runs / name).symlink_to(runs / "yolov4-tiny-1")
    if words[0] == "predict" and (folder / "found").exists():
        (folder / "found").rename(folder / f"found before {words[2]}")  # the command refuses to mix two results
    if words[0] == "find-images":
        there = folder / ("photographs" if (folder / "photographs").is_dir() else "moved")
        there.rename(folder / words[2])


@pytest.mark.parametrize("command", THERE)
def test_a_command_that_is_run_elsewhere_is_understood_and_named_there(command: str, tmp_path: Path) -> None:
    """Typer accepts all its words; the command itself then reports that there is no such project."""
    words = shlex.split(command.replace("PROJECT", str(tmp_path)))
    if words[0] in {"anchors", "benchmark", "compare", "export", "predict", "train"} and "--merge" not in words:
        with pytest.raises(WorkbenchError, match="There is no project"):
            app(words, standalone_mode=False)
    file = ROOT / run_by(command)
    if file.is_file():
        there = file.read_text("utf-8")
        named = [flag.lstrip("-").replace("-", "[-_]") for flag in flags(command)]
        missing = [name for name in named if not re.search(rf"\b{name}\b", there)]
        assert missing == [], f"{run_by(command)} does not run {command}"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_help_of_a_command_has_an_example_that_is_understood(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == console.DONE
    shown = " ".join(capsys.readouterr().out.replace("python -m ", "").split())
    assert f"Usage: workbench {name}" in shown
    assert f"Example: {EXAMPLES[name]}" in shown
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    program, command, *words = shlex.split(EXAMPLES[name])
    assert (program, command) == ("workbench", name)
    Document.create(tmp_path / "cells").close()
    monkeypatch.chdir(tmp_path)
    group.commands[name].make_context(name, words)


def test_every_flag_that_is_named_is_one_and_some_test_gives_it() -> None:
    """As a flag, or as a setting or an argument of its name."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    known = {
        flag
        for command in group.commands.values()
        for option in command.params
        for flag in (*option.opts, *option.secondary_opts)
    }
    named = {flag for page in PAGES for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", page.read_text("utf-8"))}
    assert named - known - OTHERS == set()
    files = [file for file in Path(__file__).parent.rglob("*.py") if file != Path(__file__)]
    tests = "\n".join(file.read_text("utf-8") for file in files)
    ways = {flag: (flag, flag[2:].replace("-", "_")) for flag in named - OTHERS}
    given = {
        flag
        for flag, both in ways.items()
        if f'"{both[0]}"' in tests or re.search(rf"\b{both[1]}=|\"{both[1]}\"", tests)
    }
    here = {flag for command in (*HERE, *MORE.values(), IDS) for flag in flags(command)}
    assert named - OTHERS - given - here == set()


def test_readme_names_every_command() -> None:
    written = (ROOT / "README.md").read_text("utf-8")
    assert [name for name in EXAMPLES if not re.search(rf"(?:`|\bworkbench ){name}(?![\w-])", written)] == []


def test_the_settings_that_the_page_on_exporting_lists_are_there() -> None:
    from workbench import settings
    from workbench.inference.exporters import ExportSettings

    (listed,) = re.findall(r"form: (.*?)\. Confidence and NMS", MODEL.read_text("utf-8"), re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) <= {row.name for row in settings.rows(ExportSettings)}
    assert len(re.findall(r"`(\w+)`", listed)) >= 8


def test_no_page_has_pip_look_for_us_by_name() -> None:
    """No package index has us: outside the program's environment pip would find nothing, or a stranger's package."""
    ours = re.compile(r"pip install[^`]*workbench-detection")
    assert [page.name for page in PAGES if ours.search(page.read_text("utf-8"))] == []


def test_a_word_that_is_no_option_is_not_understood(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="No such option"):
        app(["train", str(tmp_path), "--procesess", "8"], standalone_mode=False)
