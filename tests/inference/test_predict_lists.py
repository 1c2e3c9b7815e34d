"""Lists and patterns name what is predicted: pictures and videos, also where names are odd."""

from __future__ import annotations

import errno
import json
import ntpath
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.inference.stub import stub, write_pictures
from workbench.core.decoding import video as videos
from workbench.errors import WorkbenchError
from workbench.inference.events import PredictionsSaved
from workbench.inference.pictures import listing, sources
from workbench.inference.predict_files import PredictionSettings, predict_files


def test_lists_and_patterns_name_pictures_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "in", ["a.png", "b/c.png", "b/d.png"])
    (tmp_path / "in" / "list.txt").write_text("a.png\n\n  b/c.png\n../in/b/d.png\ngone.png\n")
    out = tmp_path / "out"
    *_, last = predict_files(stub(), [tmp_path / "in" / "list.txt"], out)
    rows = json.loads((out / "predictions.json").read_text())
    assert [row["file"] for row in rows] == ["a.png", "b/c.png", "in/b/d.png"]
    assert isinstance(last, PredictionsSaved)
    assert last.skipped == 1
    monkeypatch.chdir(tmp_path)
    found = list(sources.find_items([Path("in/**/*.png")]))
    assert sorted(item.name for item in found) == ["a.png", "b/c.png", "b/d.png"]
    assert all(item.file.is_file() for item in found)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8"])
def test_a_list_may_be_of_windows(tmp_path: Path, encoding: str) -> None:
    write_pictures(tmp_path, ["ä.png", "b c.png"])
    (tmp_path / "list.txt").write_bytes("\ufeffä.png\r\nb c.png\r\n".encode(encoding))
    *_, last = predict_files(stub(), [tmp_path / "list.txt"], tmp_path / "out")
    assert isinstance(last, PredictionsSaved)
    assert (last.images, last.skipped) == (2, 0)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("b/c.png", "b/c.png"),
        (r"b\c.png", "b/c.png"),
        ("../b/c.png", "b/c.png"),
        ("D:/photos/c.png", "photos/c.png"),
        (r"\\server\share\c.png", "server/share/c.png"),
    ],
)
def test_pictures_in_folders_are_named_where_paths_have_backslashes(
    line: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows every one of them was left out: its name is not that of its normal path there."""
    monkeypatch.setattr(sources, "os", SimpleNamespace(name="nt", path=ntpath))
    item = sources._named(line, Path(line), line)
    assert (item.name, item.problem) == (name, "")


def test_a_list_of_find_print0_is_told(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png", "b.png"])
    (tmp_path / "list.txt").write_bytes(b"a.png\nb.png\0a.png\0")
    with pytest.raises(WorkbenchError, match=r"Line 2 of .*list\.txt is no path.*-print0"):
        list(predict_files(stub(), [tmp_path / "list.txt"], tmp_path / "out"))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("source", [b"fol\xffder", b"fol\xffder/a.png", b"list.txt", b"fol\xffder/*.png"])
def test_a_folder_whose_name_is_no_text_is_predicted_and_gone_on_with(tmp_path: Path, source: bytes) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/fol\xffder"))
    write_pictures(folder, ["a.png"])
    (tmp_path / "list.txt").write_bytes(os.fsencode(folder) + b"/a.png\n")
    told = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + source))
    *_, last = predict_files(stub(), [told], tmp_path / "out", PredictionSettings(formats=("json", "pictures", "coco")))
    assert isinstance(last, PredictionsSaved)
    assert (last.images, last.skipped) == ((0, 1) if source == b"list.txt" else (1, 0)), "a list names the folder too"
    *_, last = predict_files(stub(), [told], tmp_path / "out", PredictionSettings(formats=("json", "pictures", "coco")))
    assert isinstance(last, PredictionsSaved)
    assert last.new == 0


@pytest.mark.parametrize("source", ["*", "**/*.avi", "list.txt"])
def test_lists_and_patterns_name_videos_too(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(clip, "ride.avi")
    Path("broken.avi").write_bytes(b"no video")
    Path("list.txt").write_text("ride.avi\nbroken.avi\n", encoding="utf-8")
    *_, last = predict_files(
        stub(), [Path(source)], tmp_path / "out", PredictionSettings(every=3, formats=("json", "video"))
    )
    assert isinstance(last, PredictionsSaved)
    assert (last.images, last.skipped) == (3, 1)
    assert len(list(videos.frames(tmp_path / "out" / "videos" / "ride.avi.mp4"))) == 3
    assert "broken.avi" in (tmp_path / "out" / "left_out.csv").read_text()


def test_a_folder_of_videos_is_told_how_to_name_them(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "in" / "below").mkdir(parents=True)
    shutil.copy(clip, tmp_path / "in" / "below")
    with pytest.raises(WorkbenchError, match=r"no image in .*videos in folders.*'.*\*\*/\*\.mp4'"):
        list(predict_files(stub(), [tmp_path / "in"], tmp_path / "out"))


@pytest.mark.parametrize("pattern", ["*.png", "**/*.png", "../shoot [1]/*.png", "ABSOLUTE/**/*.png", "*/[b]*.png"])
def test_a_pattern_is_found_in_a_folder_whose_own_name_has_brackets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    inside = write_pictures(tmp_path / "shoot [1]", ["a.png", "below/b.png"])
    monkeypatch.chdir(inside)
    told = Path(pattern.replace("ABSOLUTE", str(inside)))
    *_, last = predict_files(stub(), [told], tmp_path / "out")
    assert isinstance(last, PredictionsSaved)
    rows = json.loads((tmp_path / "out" / "predictions.json").read_text())
    names = ["below/b.png"] if "[b]" in pattern else ["a.png", "below/b.png"] if "**" in pattern else ["a.png"]
    assert [row["file"] for row in rows] == names


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is open")
def test_a_disk_that_gets_full_while_all_is_listed_is_told_also_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sorted so far is open then, and Windows deletes no open file: that hid the reason."""
    write_pictures(tmp_path / "in", ["a.png", "b.png"])
    encoded, times = listing._encoded, iter(range(100))

    def full(line: object) -> str:
        if next(times) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return str(encoded(line))

    def unlink(file: Path, missing_ok: bool = False) -> None:
        if any(os.path.realpath(f"/proc/self/fd/{fd}") == str(file) for fd in os.listdir("/proc/self/fd")):
            raise PermissionError(errno.EACCES, "It is being used by another process", str(file))
        os.unlink(file)

    monkeypatch.setattr(listing, "_encoded", full)
    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(WorkbenchError, match="the disk is full"):
        list(predict_files(stub(), [tmp_path / "in"], tmp_path / "out", PredictionSettings(formats=("json",))))
