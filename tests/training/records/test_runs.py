"""The list of runs is read from their folders, whatever state they were left in."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.generators import close
from tests.training.toys import make_snapshot
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.storage.lock import FILE as LOCK
from workbench.core.storage.lock import Lock
from workbench.errors import Refused, WorkbenchError
from workbench.training import events
from workbench.training.events import (
    Evaluated,
    Failed,
    Finished,
    Message,
    Paused,
    Progress,
    Started,
    from_json,
    to_json,
)
from workbench.training.records import runs
from workbench.training.records.record import DATA, EventLog, read_request, read_start_options, write_request
from workbench.training.run import RunRequest, train

MakeRequest = Callable[..., RunRequest]
STARTED = Started("a", "/x", "toy", "cpu", "fp32", 6, 2, 4, 6, 100)
PROGRESS = Progress(3, 6, 2, 4, {"box": 1.5}, 1.5, 0.1, 10.0, 1.0)


def leave(folder: Path, *events: object) -> Path:
    folder.mkdir(parents=True)
    log = EventLog(folder)
    for event in events:
        log.add(event)  # type: ignore[type-var]
    log.close()
    return folder


@pytest.mark.parametrize(
    ("last", "state"),
    [
        (Finished(6, 4, False, 0.5, 1.0, "/x"), "finished"),
        (Finished(3, 2, True, 0.5, 1.0, "/x"), "stopped"),
        (Failed("The loss is not a number."), "failed"),
        (PROGRESS, "interrupted"),
    ],
)
def test_how_a_run_ended(tmp_path: Path, last: object, state: str) -> None:
    evaluated = Evaluated(1, 2, 0.3, 0.6, 0.2, {"top": 0.6}, 2, 0.1, best=True)
    worse = Evaluated(2, 3, 0.2, 0.5, 0.1, {"top": 0.5}, 2, 0.1, best=False)
    info = runs.info(leave(tmp_path / "a", STARTED, PROGRESS, evaluated, worse, last))
    assert (info.state, info.detector, info.step, info.epochs) == (state, "toy", 3, 4)
    assert (info.best_ap, info.best_ap50) == (0.3, 0.6)
    assert info.started > 0


def test_a_running_run_is_seen(request_of: MakeRequest) -> None:
    request = request_of()
    events = train(request)
    next(events)
    assert runs.info(request.folder).state == "running"
    for paused, state in ((True, "paused"), (False, "running")):
        with open(request.folder / "events.jsonl", "a", encoding="utf-8") as file:
            file.write(to_json(Paused(paused, 0)) + "\n")
        assert (runs.info(request.folder).state, runs.info(request.folder).is_running) == (state, True)
    close(events)
    assert runs.info(request.folder).state == "stopped"


def test_the_newest_run_comes_first(tmp_path: Path) -> None:
    leave(tmp_path / "old", STARTED)
    leave(tmp_path / "new", STARTED)
    (tmp_path / "no run").mkdir()
    assert [run.name for run in runs.runs(tmp_path)] == ["new", "old"]
    assert runs.runs(tmp_path / "absent") == ()


def test_a_torn_last_line_is_left_out_and_the_next_begins_afresh(tmp_path: Path) -> None:
    folder = leave(tmp_path / "a", STARTED, PROGRESS)
    file = folder / "events.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    assert [type(event) for event in runs.read_events(folder)] == [Started]
    log = EventLog(folder)
    log.add(Message("info", "again"))
    log.close()
    assert [type(event) for event in runs.read_events(folder)] == [Started, Message]


def test_foreign_lines_are_left_out(tmp_path: Path) -> None:
    folder = leave(tmp_path / "a", STARTED)
    with open(folder / "events.jsonl", "ab") as file:
        file.write(b'{"event": "Dance"}\n\xff\xfe\n[1]\n')
    assert [type(event) for event in runs.read_events(folder)] == [Started]


def test_events_survive_their_line_of_text() -> None:
    for event in (STARTED, PROGRESS, Message("warning", "zu groß"), Failed("a", "b")):
        back = from_json(to_json(event))
        assert type(back) is type(event)
        assert repr(back) == repr(event)  # NaN is not equal to itself
    nan = from_json(to_json(Finished(1, 1, False, math.nan, 1.0, "/x")))
    assert isinstance(nan, Finished)
    assert math.isnan(nan.best_ap50)
    with pytest.raises(WorkbenchError):
        from_json("{}")


def test_new_runs_get_the_next_free_name(tmp_path: Path) -> None:
    names = [runs.new_folder(tmp_path / "runs", "yolov4-tiny").name for _ in range(3)]
    assert names == ["yolov4-tiny-1", "yolov4-tiny-2", "yolov4-tiny-3"]
    assert runs.new_folder(tmp_path / "runs", "../x").parent == tmp_path / "runs"


def test_a_run_keeps_its_data_and_recipe_for_resuming(request_of: MakeRequest) -> None:
    request = request_of()
    list(train(request))
    back = read_request(request.folder)
    assert back.recipe == request.recipe
    assert back.snapshot.digest == request.snapshot.digest
    assert back.snapshot.files == request.snapshot.files
    assert back.resume


def test_a_project_that_moved_with_its_images_can_be_resumed(request_of: MakeRequest, tmp_path: Path) -> None:
    request = request_of()
    list(train(request))
    moved = tmp_path / "moved"
    moved.mkdir()
    (tmp_path / "a").rename(moved / "a")
    (tmp_path / "images").rename(moved / "images")
    back = read_request(moved / "a" / "run")
    assert all(file.exists() for file in back.snapshot.files)


def test_a_damaged_record_is_refused_in_a_sentence(request_of: MakeRequest) -> None:
    request = request_of()
    request.folder.mkdir(parents=True)
    write_request(request)
    file = request.folder / DATA
    data = file.read_bytes()
    for at in range(100, 400, 50):
        file.write_bytes(data[:at] + bytes(range(40)) + data[at + 40 :])
        with pytest.raises(Refused, match="damaged, so it can't be resumed"):
            read_request(request.folder)
        assert read_start_options(request.folder) is None
    file.unlink()
    with pytest.raises(Refused, match="is missing"):
        read_request(request.folder)


def test_the_data_of_a_run_is_known_from_its_beginning_and_of_old_runs_from_their_checkpoints(
    request_of: MakeRequest,
) -> None:
    request = request_of()
    happening = train(request)
    next(happening)
    info = runs.info(request.folder)
    assert (info.digest, info.images, info.validation_images) == (request.snapshot.digest, 6, 2)
    close(happening)
    (request.folder / "data.json").unlink()
    assert runs.info(request.folder).digest == request.snapshot.digest
    (request.folder / "last.safetensors").write_bytes(b"torn")
    assert runs.info(request.folder).digest == ""
    (request.folder / "data.json").write_text("[1]", "utf-8")
    assert runs.info(request.folder).digest == ""


def test_the_data_of_a_run_recorded_with_the_labels_names_in_its_digest_is_known_too(request_of: MakeRequest) -> None:
    request = request_of()
    next(happening := train(request))
    close(happening)
    about = json.loads((request.folder / runs.ABOUT).read_bytes())
    assert about["version"] == runs.NAMELESS
    old = {**about, "version": 1, "digest": "ab" * 32, "judged_by": "cd" * 32}
    (request.folder / runs.ABOUT).write_text(json.dumps(old), "utf-8")
    info = runs.info(request.folder)
    assert (info.digest, info.judged_by) == (request.snapshot.digest, "")
    (request.folder / DATA).unlink()
    assert runs.info(request.folder).digest == "ab" * 32


def test_a_name_that_another_run_has_in_other_letters_is_taken(tmp_path: Path) -> None:
    leave(tmp_path / "Cells", STARTED)
    with pytest.raises(WorkbenchError, match="There is a run called 'cells' already"):
        runs.folder_for(tmp_path, "cells", "toy")
    assert runs.folder_for(tmp_path, "cells 2", "toy") == tmp_path / "cells 2"
    assert runs.folder_for(tmp_path / "none yet", "cells", "toy") == tmp_path / "none yet" / "cells"


@pytest.mark.parametrize("left", [(), (runs.RECIPE,), (".data.npz.12.0123abcd.tmp",)])
def test_a_run_killed_before_it_began_does_not_keep_its_name(tmp_path: Path, left: tuple[str, ...]) -> None:
    folder = leave(tmp_path / "cells", Message("info", "Reading images."))
    (folder / LOCK).touch()
    for name in left:
        (folder / name).touch()
    assert runs.folder_for(tmp_path, "Cells", "toy") == tmp_path / "Cells"
    assert not folder.exists()


def test_a_name_is_kept_by_a_run_that_is_about_to_begin_or_can_be_resumed(tmp_path: Path) -> None:
    waiting = leave(tmp_path / "waiting")
    lock = Lock(waiting)
    ready = leave(tmp_path / "ready")
    (ready / DATA).touch()
    for folder, instead in ((waiting, "Choose"), (ready, "Resume it, or choose")):
        with pytest.raises(WorkbenchError, match=f"a run called '{folder.name}' already. {instead} another name."):
            runs.folder_for(tmp_path, folder.name, "toy")
        assert (folder / runs.EVENTS).exists()
    lock.release()


def test_which_images_judge_a_run_is_known_where_its_seed_has_chosen_them(
    request_of: MakeRequest, tmp_path: Path
) -> None:
    data = make_snapshot(tmp_path / "images", train=8, validation=0)
    judges = []
    for name, seed in (("one", 0), ("again", 0), ("other", 3)):
        request = request_of(name, snapshot=data, epochs=1, hold_out=0.25, seed=seed)
        list(train(request))
        judges.append(runs.info(request.folder).judged_by)
    assert judges[0] == judges[1] != judges[2]
    assert all(judges)


def test_of_a_long_run_only_the_newest_progress_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = leave(tmp_path / "a", STARTED, *(replace(PROGRESS, step=step) for step in range(1, 500)))
    with open(folder / "events.jsonl", "ab") as file:
        file.write(b'{"event": "Progress", "step": 500, "ste\n')  # torn, and gone on with
    read: list[str] = []
    monkeypatch.setattr(events, "from_json", lambda line: read.append(line) or from_json(line))
    info = runs.info(folder)
    assert (info.step, info.epoch, info.epochs, len(read)) == (499, 2, 4, 2)


def test_a_line_of_which_a_full_disk_took_a_part_is_completed_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one was glued to it, and both were lost."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, line: real(handle, line[: len(line) // 2 + 1]))
    folder = leave(tmp_path / "a", STARTED, PROGRESS)
    assert [type(event) for event in runs.read_events(folder)] == [Started, Progress]


def test_a_line_that_could_not_be_completed_does_not_spoil_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event glued to it was mostly why the training failed: the run was called interrupted."""
    folder, real, room = leave(tmp_path / "a", STARTED), os.write, [20, 0]

    def full(handle: int, line: bytes) -> int:
        if not (taken := room.pop(0) if room else len(line)):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, line[:taken])

    log = EventLog(folder)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(WorkbenchError, match="Make room"):
        log.add(PROGRESS)
    log.add(Failed("The disk is full."))
    log.close()
    assert [type(event) for event in runs.read_events(folder)] == [Started, Failed]


def test_a_record_on_a_share_that_went_away_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size was asked for before each event, and that error was called one of the program."""

    def gone(*_: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    log = EventLog(leave(tmp_path / "a", STARTED))
    with monkeypatch.context() as patch:
        for name in ("write", "fstat", "ftruncate"):
            patch.setattr(os, name, gone)
        with pytest.raises(WorkbenchError, match="could not be written: Stale file handle"):
            log.add(PROGRESS)
    log.close()


def test_hidden_folders_are_no_runs(tmp_path: Path) -> None:
    leave(tmp_path / ".trash", STARTED)
    assert runs.runs(tmp_path) == ()


def test_the_window_of_images_with_more_than_8_bits_is_part_of_the_record(request_of: MakeRequest) -> None:
    request = request_of()
    request = replace(request, snapshot=replace(request.snapshot, window=IntensityWindow(100.0, 3000.0)))
    request.folder.mkdir(parents=True)
    write_request(request)
    back = read_request(request.folder)
    assert back.snapshot.window == IntensityWindow(100.0, 3000.0)
    assert back.snapshot.digest == request.snapshot.digest


def test_a_checkpoint_of_a_run_is_named_with_its_run(tmp_path: Path) -> None:
    (tmp_path / "tiny-1").mkdir()
    (tmp_path / "tiny-1" / "events.jsonl").touch()
    assert runs.weights_name(tmp_path / "tiny-1" / "best.safetensors") == "tiny-1/best.safetensors"
    assert runs.weights_name(tmp_path / "yolov4-tiny.weights") == "yolov4-tiny.weights"
