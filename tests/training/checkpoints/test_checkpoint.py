"""Checkpoints run no code, are replaced wholly or not at all, and say what they are."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from tests.generators import close
from tests.training.toys import Toy
from workbench import detectors
from workbench.cli.checks import check_run
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.project import Label
from workbench.core.tiling import Tiling
from workbench.errors import Refused, WorkbenchError
from workbench.training.checkpoints import checkpoint
from workbench.training.checkpoints.header import CheckpointHeader, from_json, read_header
from workbench.training.events import Finished, Saved
from workbench.training.records import record
from workbench.training.run import RunRequest, resume, train

MakeRequest = Callable[..., RunRequest]
HEADER = CheckpointHeader(
    detector="toy", detector_settings={"input_px": 64}, labels=(Label(7, "Zelle", "#123456"),), anchors=((1.5, 2.0),),
    input_px=64, resize="letterbox", epoch=3, step=9, metrics={"ap": 0.5, "ap50": float("nan")},
    data_digest="abc", provenance={"run": "a"}, window=IntensityWindow(0, 4095),
)  # fmt: skip


@pytest.fixture
def finished(request_of: MakeRequest) -> Path:
    request = request_of()
    list(train(request))
    return request.folder


def test_a_header_survives_its_text_but_for_numbers_that_do_not_exist() -> None:
    back = from_json(HEADER.to_json())
    assert back.labels == HEADER.labels
    assert back.anchors == HEADER.anchors
    assert back.metrics == {"ap": 0.5}
    assert back.window == IntensityWindow(0, 4095)
    assert (back.detector, back.epoch, back.step, back.resize) == ("toy", 3, 9, "letterbox")


def test_a_header_has_its_tiles_and_is_refused_with_such_as_there_can_not_be() -> None:
    tiled = dataclasses.replace(HEADER, tiles=640, tile_overlap=0.5)
    assert from_json(tiled.to_json()).tiling == Tiling(640, 0.5)
    assert from_json(HEADER.to_json()).tiling is None
    with pytest.raises(Refused, match="damaged"):
        from_json(dataclasses.replace(HEADER, tiles=10).to_json())


def test_a_header_is_read_without_the_weights(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    checkpoint.save_detector(file, {"w": torch.ones(3)}, HEADER)
    assert read_header(file) == from_json(HEADER.to_json())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_colleagues_may_read_a_checkpoint_as_any_other_file(tmp_path: Path) -> None:
    (tmp_path / "any.txt").touch()
    file = tmp_path / "a.safetensors"
    checkpoint.save_detector(file, {"w": torch.ones(3)}, HEADER)
    assert file.stat().st_mode == (tmp_path / "any.txt").stat().st_mode
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:40],
        lambda data: b"\xff" * 8 + data[8:],
        lambda data: b"PK\x03\x04" + data,
        lambda data: data[:8] + b"[" * 2000 + data[2008:],
        lambda data: data.replace(b'\\"version\\": 1', b'\\"version\\": 9'),
        lambda data: data.replace(b"detector_settings", b"detector_settingz"),
    ],
)
def test_damaged_and_foreign_files_are_refused_with_their_name(tmp_path: Path, spoil: Callable[..., bytes]) -> None:
    file = tmp_path / "a.safetensors"
    checkpoint.save_detector(file, {"w": torch.ones(3)}, HEADER)
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(Refused, match=r"a\.safetensors"):
        read_header(file)


def test_weights_of_others_are_refused_with_a_reason(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"w": torch.ones(3)}, tmp_path / "b.safetensors")
    with pytest.raises(Refused, match="not made by Workbench"):
        read_header(tmp_path / "b.safetensors")
    with pytest.raises(Refused, match="is not there any more. Choose another run or file"):  # deleted meanwhile
        read_header(tmp_path / "absent.safetensors")
    with pytest.raises(Refused, match="could not be read"):
        read_header(tmp_path)


def test_weights_that_do_not_fit_their_header_are_refused(tmp_path: Path, toy: type[Toy]) -> None:
    checkpoint.save_detector(tmp_path / "c.safetensors", {"conv.weight": torch.ones(3)}, HEADER)
    with pytest.raises(Refused, match="do not fit"):
        checkpoint.load_detector(tmp_path / "c.safetensors")


def test_a_checkpoint_of_a_plugin_s_detector_names_the_plugin_where_that_is_not(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It listed the detectors that are there, and nobody could know where to get the other one."""
    request = request_of()
    with monkeypatch.context() as registered:
        registered.setitem(detectors.detectors._owners, "toy", "toy.py")
        list(train(request))
    file = request.folder / "best.safetensors"
    with monkeypatch.context() as without:  # ends before the toy is taken away
        without.delitem(detectors.detectors._members, "toy")
        with pytest.raises(Refused) as alone:
            checkpoint.load_detector(file)
        without.setattr(detectors.detectors, "elsewhere", lambda name: f"The plugin toy.py provides {name}: allow it.")
        with pytest.raises(Refused, match="needs the detector 'toy'. The plugin toy.py provides toy: allow it."):
            checkpoint.load_detector(file)
    assert alone.value.reason == (
        "this checkpoint needs the detector 'toy' of the plugin toy.py, which is not here. Put it into the folder that"
        " `workbench plugins` shows, and allow it: workbench plugins --allow toy.py"
    )


@pytest.mark.parametrize("has_saved", [True, False])
def test_a_run_of_a_plugin_s_detector_is_resumed_only_where_that_is_and_else_names_the_plugin(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch, has_saved: bool
) -> None:
    request = request_of()
    with monkeypatch.context() as registered:
        registered.setitem(detectors.detectors._owners, "toy", "toy.py")
        list(train(request))
    if has_saved:
        (request.folder / "data.json").unlink()  # as runs of before
    else:
        for file in request.folder.glob("*.safetensors"):
            file.unlink()
    assert record.read_request(request.folder).recipe.detector == "toy"
    with monkeypatch.context() as without:
        without.delitem(detectors.detectors._members, "toy")
        for refused in (record.read_request, check_run):
            with pytest.raises(Refused) as alone:
                refused(request.folder)
            assert alone.value.reason == (
                "this run needs the detector 'toy' of the plugin toy.py, which is not here. Put it into the folder that"
                " `workbench plugins` shows, and allow it: workbench plugins --allow toy.py"
            )


def test_the_state_loads_with_weights_only(finished: Path) -> None:
    values = torch.load(finished / "last.state.pt", weights_only=True)
    assert values["step"] == 6
    assert {"detector", "average", "optimizer", "rng"} <= values.keys()


def test_a_state_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"version": 1, "step": Evil()}, tmp_path / "last.state.pt")
    with pytest.raises(Refused, match="would run code"):
        checkpoint.load_state(tmp_path / "last.state.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("keep", [0, 10, 1000])
def test_a_torn_state_is_refused(finished: Path, keep: int) -> None:
    file = finished / "last.state.pt"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(Refused, match="damaged"):
        next(resume(finished))


def test_a_save_that_is_killed_leaves_the_checkpoint_before(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies when the new file is written but not yet in place."""
    request = request_of()
    events = train(request)
    for event in events:
        if isinstance(event, Saved):
            close(events)  # a good checkpoint
            break
    before = {name: (request.folder / name).read_bytes() for name in ("last.state.pt", "last.safetensors")}

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(Killed):
        list(resume(request.folder))
    monkeypatch.undo()
    assert {name: (request.folder / name).read_bytes() for name in before} == before
    assert isinstance(list(resume(request.folder))[-1], Finished)


def test_a_full_disk_is_told_in_a_sentence_and_keeps_the_checkpoint(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (finished / "last.state.pt").read_bytes()
    state = checkpoint.load_state(finished / "last.state.pt")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkbenchError, match="disk is full"):
        checkpoint.save_state(finished / "last.state.pt", state)
    monkeypatch.undo()
    assert (finished / "last.state.pt").read_bytes() == before


def test_weights_that_find_no_room_are_told_in_a_sentence_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """safetensors raises an error of its own, which ended the training in a traceback."""

    def full(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(WorkbenchError, match=r"a.safetensors could not be written: is the disk full\? Make room"):
        checkpoint.save_detector(tmp_path / "a.safetensors", {"w": torch.ones(3)}, HEADER)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cut_off", "told", "sentence"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (OSError(errno.EIO, "I/O"), WorkbenchError, r"is the disk full\? Make room and resume the run"),
    ],
)
def test_ctrl_c_while_a_state_is_written_is_not_taken_for_a_full_disk(
    finished: Path,
    monkeypatch: pytest.MonkeyPatch,
    cut_off: BaseException,
    told: type[BaseException],
    sentence: str | None,
) -> None:
    """PyTorch raises the same RuntimeError for both."""

    class Broken(io.FileIO):
        def write(self, data: Any) -> int:
            if self.tell() > 0:
                raise cut_off
            return super().write(data)

    state = checkpoint.load_state(finished / "last.state.pt")
    monkeypatch.setattr(checkpoint, "open", Broken, raising=False)
    with pytest.raises(told, match=sentence):
        checkpoint.save_state(finished / "last.state.pt", state)
    monkeypatch.undo()
    assert checkpoint.load_state(finished / "last.state.pt").step == state.step
    assert not list(finished.glob(".*.tmp"))
