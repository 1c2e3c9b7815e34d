"""`workbench runs`: the list as a table and as JSON, and what can be done with a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.records.test_runs import PROGRESS, STARTED, leave
from workbench import console
from workbench.cli import main, training
from workbench.core.document import Document
from workbench.errors import WorkbenchError
from workbench.training.events import Evaluated, Finished
from workbench.training.records import runs

Capture = pytest.CaptureFixture[str]
EVALUATED = Evaluated(2, 3, 0.25, 0.5, 0.2, {}, 2, 0.1, best=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "160")  # of the terminal
    Document.create(tmp_path / "project").close()
    folder = tmp_path / "project" / "runs"
    leave(folder / "old", STARTED, PROGRESS, EVALUATED, Finished(3, 2, True, 0.5, 1.0, "/x"))
    leave(folder / "new", STARTED)
    (folder / "old" / "data.json").write_text(json.dumps({"digest": "0123456789abcdef"}), "utf-8")
    return tmp_path / "project"


def did(capsys: Capture, *arguments: object) -> dict[str, Any]:
    assert main(["runs", *map(str, arguments), "--json"]) == console.DONE
    return json.loads(capsys.readouterr().out)


def names(project: Path) -> list[str]:
    return [run.name for run in runs.runs(project / "runs")]


def test_weights_to_begin_with_may_be_those_of_a_run(project: Path) -> None:
    (project / "runs" / "old" / "best.safetensors").write_bytes(b"weights")
    assert training._start("old", "yolov4-tiny", project) == project / "runs" / "old" / "best.safetensors"
    assert training._start("odd", "yolov4-tiny", project) == Path("odd")
    with pytest.raises(WorkbenchError, match="has no checkpoint yet"):
        training._start("new", "yolov4-tiny", project)


def test_runs_are_listed_newest_first(project: Path, capsys: Capture) -> None:
    new, old = did(capsys, project)["runs"]
    assert (new["run"], new["state"], new["best_ap"], new["data"]) == ("new", "interrupted", None, "")
    assert (old["run"], old["state"], old["epoch"], old["epochs"]) == ("old", "stopped", 2, 4)
    assert (old["best_ap50"], old["best_ap"], old["data"]) == (0.5, 0.25, "0123456789abcdef")
    assert (old["images"], old["validation_images"], old["checkpoint"]) == (6, 2, None)
    assert main(["runs", str(project)]) == console.DONE
    day = runs.format_time(old["started"])[:10]
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["run", "detector", "state", "epochs", "AP50", "AP", "data", "started"]
    assert first.split()[:7] == ["new", "toy", "interrupted", "0/4", "-", "-", "-"]
    assert second.split() == ["old", "toy", "stopped", "2/4", "0.500", "0.250", "0123456", day]


def test_a_project_without_runs_says_so(tmp_path: Path, capsys: Capture) -> None:
    Document.create(tmp_path / "fresh").close()
    assert did(capsys, tmp_path / "fresh") == {"runs": []}
    assert main(["runs", str(tmp_path / "fresh")]) == console.DONE
    assert "No run yet. Train one: workbench train PROJECT" in capsys.readouterr().err


def test_a_run_is_renamed_and_noted(project: Path, capsys: Capture) -> None:
    assert did(capsys, project, "--rename", "old", "first")["folder"] == str(project / "runs" / "first")
    assert did(capsys, project, "--note", "first", "see\nnew")["note"] == "see\nnew"
    assert main(["runs", str(project)]) == console.DONE
    assert capsys.readouterr().out.splitlines()[2].endswith("see new")
    assert did(capsys, project, "--note", "first", "")["note"] == ""
    assert main(["runs", str(project), "--rename", "first", "new"]) == console.FAILED
    assert "There is a run called 'new' already. Choose another name." in capsys.readouterr().err
    assert names(project) == ["new", "first"]


def test_deleted_runs_are_taken_back_until_the_trash_is_emptied(project: Path, capsys: Capture) -> None:
    assert main(["runs", str(project), "--delete", "old", "--delete", "odl"]) == console.FAILED
    assert "There is no run called 'odl'" in capsys.readouterr().err
    assert names(project) == ["new", "old"]
    assert did(capsys, project, "--delete", "old", "--delete", "new")["deleted"] == ["old", "new"]
    assert names(project) == []
    assert main(["runs", str(project)]) == console.DONE
    assert "2 runs in the trash (new, old)." in capsys.readouterr().err
    assert did(capsys, project, "--restore", "old")["run"] == "old"
    assert did(capsys, project, "--empty-trash")["deleted"] == 1
    assert main(["runs", str(project), "--restore", "new"]) == console.FAILED
    assert "There is no run called 'new' in the trash. It is empty." in capsys.readouterr().err
    assert names(project) == ["old"]


def test_one_thing_is_done_at_a_time(project: Path, capsys: Capture) -> None:
    assert main(["runs", str(project), "--delete", "new", "--note", "old", "a"]) == console.MISUSED
    assert "one of the options that change runs at a time" in capsys.readouterr().err
    assert names(project) == ["new", "old"]


def test_only_a_finished_run_is_extended_and_by_an_epoch_at_least(project: Path, capsys: Capture) -> None:
    for epochs, code, sentence in (
        ("0", console.MISUSED, "of at least 1, not 0"),
        ("5", console.FAILED, "The run 'old' is stopped, so it can't be extended"),
    ):
        assert main(["runs", str(project), "--extend", "old", epochs]) == code
        assert sentence in capsys.readouterr().err.replace("\n", " ")
