"""`workbench split`: who gets a split and who keeps one, what goes together, and the way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.formats.making import picture, text, voc_file
from workbench import console
from workbench.cli import main
from workbench.cli.options import labelled_images
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Split, State
from workbench.errors import WorkbenchError

Capture = pytest.CaptureFixture[str]


def said(capsys: Capture) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


def test_images_without_a_split_get_one_and_keep_it(test_data: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["new", str(tmp_path / "p"), "--images", str(test_data / "images")]) == console.DONE
    capsys.readouterr()
    assert main(["split", str(tmp_path / "p"), "--json"]) == console.DONE
    first = said(capsys)
    assert sum(first.values()) == 5
    assert first["validation"] == 1
    assert main(["split", str(tmp_path / "p"), "--seed", "5", "--json"]) == console.DONE
    assert said(capsys) == first
    assert main(["split", str(tmp_path / "p")]) == console.DONE
    assert "already has a split and keeps it. To divide them again: --again" in capsys.readouterr().err


def test_splits_by_rules(test_data: Path, tmp_path: Path, capsys: Capture) -> None:
    """Twelve frames of three rides, and the first of them once more under another name."""
    source = tmp_path / "rides"
    source.mkdir()
    photographs = sorted((test_data / "data/bccd/BCCD/JPEGImages").glob("*.jpg"))[:12]
    for number, file in enumerate(photographs):
        (source / f"ride {number // 4}_{number:03d}.jpg").write_bytes(file.read_bytes())
    (source / "zz.jpg").write_bytes(photographs[0].read_bytes())
    project = tmp_path / "p"
    assert main(["new", str(project), "--images", str(source)]) == console.DONE

    def splits() -> dict[str, str]:
        with Document.open(project, read_only=True) as document:
            return {image.name: str(image.split) for image in document.images()}

    command = ["split", str(project), "--again", "--json", "--by"]
    assert main([*command, "name", "--shares", "1/1/1"]) == console.DONE
    found = splits()
    for ride in range(3):
        assert len({split for name, split in found.items() if name.startswith(f"ride {ride}")}) == 1
    assert len(set(found.values())) == 3
    for seed in range(5):
        assert main([*command, "similar", "--shares", "50,50,0", "--seed", str(seed)]) == console.DONE
        found = splits()
        assert found["zz.jpg"] == found["ride 0_000.jpg"]
        assert sorted(set(found.values())) == ["train", "validation"]
    before = splits()
    capsys.readouterr()
    for wrong, sentence in (
        (["name", "--pattern", "("], "regular expression"),
        (["image", "--shares", "80"], "80,10,10"),
    ):
        assert main([*command, *wrong]) == console.MISUSED
        assert sentence in capsys.readouterr().err
    assert main(["split", str(project), "--json"]) == console.DONE
    assert splits() == before


@pytest.fixture
def tested(tmp_path: Path) -> Path:
    """A project of ten images, all in the test split."""
    for number in range(10):
        picture(tmp_path / "images" / f"{number}.png", grey=number)
    with Document.create(tmp_path / "p", tmp_path / "images") as document:
        document.do(edits.SetSplit(tuple(image.id for image in document.images()), Split.TEST))
    return tmp_path / "p"


def test_what_a_split_made_before_is_told_and_can_be_taken_back(tested: Path, capsys: Capture) -> None:
    assert main(["split", str(tested), "--again"]) == console.DONE
    assert (
        f"9 images had another split before, from an import or set by hand. Undo this: workbench split {tested} --undo"
        in (capsys.readouterr().err)
    )
    assert main(["split", str(tested), "--undo", "--json"]) == console.DONE
    assert said(capsys) == {"train": 0, "validation": 0, "test": 10}
    assert main(["split", str(tested), "--undo"]) == console.FAILED
    assert "The last change is “Put 10 images into test”, not a split" in capsys.readouterr().err


def test_an_import_tells_which_splits_it_takes_and_which_stay(tested: Path, tmp_path: Path, capsys: Capture) -> None:
    for name in ("0", "1", "2"):
        text(tmp_path / "voc" / "Annotations" / f"{name}.xml", voc_file(filename=f"{name}.png"))
    text(tmp_path / "voc" / "ImageSets" / "Main" / "train.txt", "0\n1\n")
    text(tmp_path / "voc" / "ImageSets" / "Main" / "test.txt", "2\n")
    with Document.open(tested) as document:
        ids = [image.id for image in document.images()]
        document.do(edits.SetSplit(tuple(ids[1:3]), Split.NONE))
    command = ["import", str(tested), str(tmp_path / "voc")]
    assert main([*command, "--dry-run"]) == console.DONE
    assert "splits taken: 1 train, 1 test; 1 image in another split here (kept)" in capsys.readouterr().out
    assert main([*command, "--json"]) == console.DONE
    assert said(capsys)["splits"] == {"train": 1, "test": 1}
    assert main(command) == console.DONE
    told = capsys.readouterr().out
    assert "splits taken" not in told
    assert "1 image in another split here (kept)" in told


def test_a_pattern_that_would_be_ignored_is_refused(tested: Path, capsys: Capture) -> None:
    assert main(["split", str(tested), "--pattern", r"(film\d+)_"]) == console.MISUSED
    assert "--pattern is for --by name. Add that, or leave out --pattern." in capsys.readouterr().err


def test_shares_are_looked_at_even_if_nothing_is_dealt(tested: Path, capsys: Capture) -> None:
    for wrong, sentence in (("80,20", "three numbers"), ("nan,1,1", "three numbers"), ("-1,1,1", "not be negative")):
        assert main(["split", str(tested), f"--shares={wrong}"]) == console.MISUSED
        assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("of_the_labelled", "advice"),
    [(Split.NONE, "workbench split PROJECT"), (Split.TRAIN, "workbench split PROJECT --again")],
)
def test_a_split_without_labelled_images_is_told_with_what_helps(
    test_data: Path, tmp_path: Path, of_the_labelled: Split, advice: str
) -> None:
    """The advice to split them was given of split images, too, and that command then left them as they were."""
    with Document.create(tmp_path / "p", test_data / "images") as document:
        ids = document.images().ids.tolist()
        document.do(edits.SetSplit(tuple(ids[1:]), Split.VALIDATION))
        document.do(edits.SetSplit(tuple(ids[:1]), of_the_labelled))
        document.do(edits.SetState(tuple(ids[:1]), State.DONE))
        with pytest.raises(WorkbenchError, match="no labelled image in the split 'validation'") as told:
            labelled_images(document.snapshot(), Split.VALIDATION)
        assert str(told.value).endswith(advice)


def test_a_command_that_is_told_can_be_typed_though_the_name_of_the_folder_begins_with_a_dash(
    tested: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """`split '-Proben 1' --undo` was taken for options."""
    monkeypatch.chdir(tested.rename(tested.parent / "-Proben 1").parent)
    assert main(["split", "./-Proben 1", "--again"]) == console.DONE
    assert "Undo this: workbench split './-Proben 1' --undo" in " ".join(capsys.readouterr().err.split())
    assert main(["split", "./-Proben 1", "--undo"]) == console.DONE
