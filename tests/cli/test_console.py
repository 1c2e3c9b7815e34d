"""What the commands print: names that are typed in the next command are whole, however narrow the terminal."""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.raising import interrupt
from workbench import __main__, console, report
from workbench.cli import main
from workbench.inference.events import (
    EvaluationDone,
    EvaluationProgress,
    ListingProgress,
    Predicted,
    PredictionsSaved,
    Skipped,
)


def test_names_in_the_first_column_are_not_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = ["yolov4-tiny-of-the-second-plate", "yolov4-tiny-of-the-third-plate"]
    rows = [
        [name, "yolov4-tiny", "finished", "300 / 300", 0.5, 0.25, "2c1a4f0 of 364 images", "2026-11-28 10:00"]
        for name in names
    ]
    console.print_table(["run", "detector", "state", "epochs", "AP50", "AP", "data", "started"], rows)
    printed = capsys.readouterr().out
    assert all(name in printed for name in names)


@pytest.mark.parametrize("columns", [30, 40, 60, 80])
def test_where_a_table_has_no_room_its_rows_are_lines_and_nothing_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(console, "out", console.plain_console(soft_wrap=True))
    note = "learnt on the second plate only, see the protocol"
    rows = [
        ["yolov4-tiny-3", "yolov4-tiny", "interrupted", "60/60", "0.812", "0.512", "a1b2c3d", "2026-11-28", note],
        ["new", "ssd", "failed", "0/30", None, None, None, "2026-11-29", ""],
    ]
    console.print_table(["run", "detector", "state", "epochs", "AP50", "AP", "data", "started", "note"], rows)
    printed = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in printed.splitlines()) <= columns
    assert all(value in printed.split() for row in rows for value in row[:-1] if value)
    assert note in " ".join(printed.split())
    assert printed.count("note") == 1  # the second run has none


def test_a_files_name_is_whole_where_it_is_wider_than_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(console, "out", console.plain_console(soft_wrap=True))
    file = "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth"
    console.print_table(["detector", "MB", "file"], [["faster-rcnn", 160, file]])
    assert capsys.readouterr().out.splitlines() == ["faster-rcnn", "  MB 160", "  file", f"  {file}"]


@pytest.mark.parametrize("columns", [20, 80])
def test_names_are_printed_as_they_are_whatever_rich_makes_of_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """In a table, in its rows as lines, and in what a command says and results in."""
    monkeypatch.setenv("COLUMNS", str(columns))
    for name, is_error in (("out", False), ("err", True)):
        monkeypatch.setattr(console, name, console.plain_console(stderr=is_error, soft_wrap=True))
    names = [":x:", "day_12:100:30", "C:\\photos\\[red]", "a\\", "[bold]"]
    console.print_table(["label", "file", "AP"], [[name, name, 0.5] for name in names])
    console.print_result({str(number): name for number, name in enumerate(names)}, as_json=False)
    for name in names:
        console.say(name)
    printed = capsys.readouterr()
    assert [printed.out.count(name) for name in names] == [3] * len(names)
    assert printed.err.splitlines() == names


def test_only_sentences_wrap_in_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    monkeypatch.setattr(console, "out", console.plain_console(soft_wrap=True))
    console.print_table(["name", "detector", "use"], [["tiny", "YOLOv4-tiny", "Small and fast: for CPUs and boards."]])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "name  detector     use",
        "tiny  YOLOv4-tiny  Small and fast: for CPUs",
        "                   and boards.",
    ]


def test_a_table_in_a_pipe_is_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    console.print_table(["run", "state", "note"], [["a", "finished", "a note of many words " * 10]])
    (_, line) = capsys.readouterr().out.splitlines()
    assert line.split()[:2] == ["a", "finished"]
    assert line.count("words") == 10


def test_an_evaluation_of_what_was_kept_has_no_speed(capsys: pytest.CaptureFixture[str]) -> None:
    nothing: Any = None
    done = EvaluationDone(nothing, nothing, nothing, nothing, 0, None)
    report.show_evaluation([EvaluationProgress(32, 32, 32, 0.0, math.nan), done])
    told = capsys.readouterr().err
    assert "kept from before" in told
    assert "images/s" not in told
    report.show_evaluation([EvaluationProgress(32, 32, 30, 2.5, 0.0), done])
    assert "2.5 images/s" in capsys.readouterr().err


def test_a_bar_leaves_nothing_where_nothing_was_begun_and_names_its_times(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(ValueError), console.progress_bar("Predicting"):
        interrupt(ValueError)
    assert capsys.readouterr().err == ""
    with console.progress_bar("Predicting") as progress:
        progress.to(3, 3)
    assert re.search(r"Predicting .*3/3 in 0:00:0\d", capsys.readouterr().err)


def test_the_bar_of_a_training_is_one_line_however_narrow_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with console.progress_bar("Training") as progress:
        progress.to(18, 2400)
        progress.to(19, 2400, "loss 179.026  14.8 images/s")
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 1
    assert re.search(r"^Training .* 19/2400 .*loss 179.026  14.8 images/s$", shown[0])
    assert len(shown[0]) <= 80
    monkeypatch.delenv("COLUMNS")
    with console.progress_bar("Training") as progress:
        progress.to(19, 240_000, "loss 179.026  14.8 images/s and more that is worth a line in a file")
    assert re.search(r"19/240000 .* more that is worth a line in a file", capsys.readouterr().err)


def test_a_bar_in_a_terminal_of_40_columns_has_its_numbers_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    with console.progress_bar("Looking at files") as progress:
        progress.to(240, 240, "of which nobody has room to tell")
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 1
    assert re.fullmatch(r"Looking at files   240/240 in 0:00:0\d *", shown[0])


def test_predictions_that_were_there_already_end_a_full_bar(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_predictions([ListingProgress(40), PredictionsSaved(Path("p.json"), 38, 5, 2, new=0)])
    assert " 40/40 in " in capsys.readouterr().err


def test_predictions_of_which_the_last_was_left_out_end_a_full_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """Of ten frames that a video promised three were there."""
    seen = [Predicted("a", n, n + 1, 10, 1, 5.0) for n in range(3)]
    report.show_predictions(
        [*seen, Skipped("b", 2, "b: it breaks off."), PredictionsSaved(Path("p.json"), 3, 3, 1, new=4)]
    )
    assert " 4/4 in " in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
def test_a_session_that_closes_stops_a_job_in_order_but_not_one_by_nohup() -> None:
    code = """
import os, signal, threading
from workbench import __main__, console
for handler in (signal.SIG_DFL, signal.SIG_IGN):
    signal.signal(signal.SIGHUP, handler)
    stop = threading.Event()
    with console.stop_on_signal(stop):
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
    print(stop.is_set(), signal.getsignal(signal.SIGHUP) is handler)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "False", "True"]
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a program at once there")
@pytest.mark.parametrize(("second", "told"), [("SIGTERM", "stopped in order"), ("SIGINT", "interrupted")])
def test_only_ctrl_c_interrupts_a_job_that_is_stopping(second: str, told: str) -> None:
    """`timeout` and SLURM send SIGTERM twice: the second one cut off the checkpoint that the first had asked for."""
    code = f"""
import os, signal, threading
from workbench import console
stop = threading.Event()
try:
    with console.stop_on_signal(stop):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.{second})
    print("stopped in order" if stop.is_set() else "goes on")
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == told


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a program at once there")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_any_command_that_the_system_ends_cleans_up_and_tells_it_by_its_exit_code(name: str) -> None:
    """It ended at once, and what it had unpacked stayed."""
    code = f"""
import os, signal
from workbench import cli

def ended(*_):
    try:
        os.kill(os.getpid(), signal.{name})
    finally:
        os.kill(os.getpid(), signal.{name})
        print("cleaned up")

cli.weights._list = ended
signal.signal(signal.{name}, signal.SIG_DFL)
print(cli.main(["weights"]), signal.getsignal(signal.{name}) is signal.SIG_DFL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["cleaned", "up", "130", "True"], "Stopped.\n")


SLOW = """#!{python}
import pathlib, signal, sys, time
here = pathlib.Path(sys.argv[-1])

def end(*_):
    time.sleep(0.6)
    (here / "ended").touch()
    sys.exit()

signal.signal(signal.SIGTERM, end)
(here / "begun").touch()
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="its programs are no scripts")
def test_the_window_of_a_demo_that_is_interrupted_ends_in_order(tmp_path: Path) -> None:
    """It was killed after a quarter of a second, though it may be training by then."""
    window = tmp_path / "window"
    window.write_text(SLOW.format(python=sys.executable))
    window.chmod(0o755)
    code = "import pathlib, signal, sys; from workbench.cli import results; sys.executable, folder = sys.argv[1:]"
    code += "; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a shell's background job ignores it
    code += "; results._open_window(pathlib.Path(folder))"
    with subprocess.Popen([sys.executable, "-c", code, str(window), str(tmp_path)]) as demo:
        while not (tmp_path / "begun").exists():
            assert demo.poll() is None
            time.sleep(0.02)
        demo.send_signal(signal.SIGINT)
    assert demo.returncode == 0
    assert (tmp_path / "ended").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows has the signal itself")
def test_on_windows_ctrl_break_stops_a_job_in_order() -> None:
    """Another program can ask for it by nothing else there."""
    code = """
import os, signal, threading
signal.SIGBREAK = signal.SIGUSR1
del signal.SIGHUP
from workbench import __main__, console
stop = threading.Event()
with console.stop_on_signal(stop):
    os.kill(os.getpid(), signal.SIGBREAK)
print(stop.is_set())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"]
    assert "a checkpoint is being written" in done.stderr


TOLD = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS": "0",
    "PYTORCH_ENABLE_MPS_FALLBACK": "1",
}


def test_libraries_are_told_before_they_are_loaded() -> None:
    """They read it once: OpenCV how to open a webcam of Windows, torch what to do without a kernel of Apple's GPU."""
    code = (
        "import os, sys; from workbench.__main__ import main; assert not {'cv2', 'numpy', 'torch'} & set(sys.modules)"
        "; names, sys.argv[1:] = sys.argv[1:], ['--version']; main(); print({name: os.environ[name] for name in names})"
    )
    own = {name: value for name, value in os.environ.items() if name not in TOLD}
    done = subprocess.run([sys.executable, "-c", code, *TOLD], capture_output=True, text=True, check=True, env=own)
    assert ast.literal_eval(done.stdout.splitlines()[-1]) == TOLD


def test_torch_is_told_how_many_cores_a_container_may_use() -> None:
    code = "import os, sys; from workbench.__main__ import control_groups, main; sys.argv[1:] = ['--version']"
    code += "; control_groups.usable_cores, control_groups.visible_cores = lambda: {}, lambda: 64; main()"
    code += "; print(os.environ.get('OMP_NUM_THREADS'))"
    own = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    for cores, told in ((64, "None"), (4, "4")):  # of all it takes as many as it holds for best
        command = [sys.executable, "-c", code.format(cores)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=own)
        assert done.stdout.splitlines()[-1] == told


def test_a_command_interrupted_while_it_is_loaded_says_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    really = builtins.__import__

    def interrupted(name: str, *rest: Any) -> Any:
        if name == "workbench.cli":
            raise KeyboardInterrupt
        return really(name, *rest)

    for name, value in TOLD.items():
        monkeypatch.setenv(name, value)  # else main sets it
    monkeypatch.setattr(sys, "argv", ["workbench", "detectors"])
    monkeypatch.setattr(builtins, "__import__", interrupted)
    assert __main__.main() == console.INTERRUPTED
    assert capsys.readouterr().err == "Stopped.\n"


@pytest.mark.parametrize(
    ("system", "given", "meant"),
    [
        ("nt", 'C:\\My photos"', "C:\\My photos"),
        ("nt", 'say "a" and "b"', 'say "a" and "b"'),
        ("nt", "C:\\photos\\", "C:\\photos\\"),
        ("posix", 'size 5"', 'size 5"'),
    ],
)
def test_a_folder_that_was_completed_with_a_backslash_is_found_on_windows(
    system: str, given: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed as 'C:\\My photos\\': Windows takes the quote after the backslash for a part of the name."""
    monkeypatch.setattr(__main__, "os", SimpleNamespace(name=system, environ={}, path=os.path))
    monkeypatch.setattr(sys, "argv", ["workbench", "train", given])
    taken: list[str] = []
    monkeypatch.setattr("workbench.cli.main", taken.extend)
    __main__.main()
    assert taken == ["train", meant]


@pytest.mark.parametrize(
    "arguments",
    [["new", ""], ["new", "p", "--images", ""], ["predict", "p", "a.png", "--out", ""], ["evaluate", "p", "--run", ""]],
)
def test_an_empty_argument_is_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a script's variable that is not set: `new ""` made a project of the folder in which the script ran."""
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == console.MISUSED
    said = " ".join(capsys.readouterr().err.split())
    assert f"as if a variable were not set: {shlex.join(['workbench', *arguments])}. Leave it out" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="its shell can't close stdout")
def test_a_command_whose_stdout_is_closed_does_its_work() -> None:
    command = shlex.join([sys.executable, "-m", "workbench", "weights", "--json"])
    done = subprocess.run(f"{command} >&-", shell=True, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (console.DONE, "")


@pytest.mark.parametrize(
    ("encoding", "errors"), [("ascii", "strict"), ("ascii", "surrogateescape"), ("cp1252", "strict")]
)
def test_letters_that_the_output_lacks_are_escaped(
    encoding: str, errors: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for more, shown in (["--json"], None), ([], "p \\U0001f406"):
        with io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors) as out:
            monkeypatch.setattr(sys, "stdout", out)
            folder = tmp_path / f"{len(more)}" / "p 🐆"
            assert main(["new", str(folder), *more]) == console.DONE
            out.seek(0)
            said = out.read()
        assert shown in said if shown else json.loads(said)["project"] == str(folder)
