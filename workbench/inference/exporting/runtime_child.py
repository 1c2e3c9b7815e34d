"""Runs an exported file in a separate process without this program; runtimes.py starts it, by path.

Only numpy and the file's own library are imported, and `workbench` is blocked: what works here works for anyone.
Each message is eight bytes of length and an .npz, whose array "about" is JSON with what to "do": "open" a file, with
the answer {"card": ..., "versions": ..., "runs": ...}, "run" or "time" it, or return its "weights". Or {"error": ...}.
"""

from __future__ import annotations

import io
import json
import os
import platform
import struct
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

sys.modules["workbench"] = None  # type: ignore[assignment]

KEY = "model.json"


@dataclass
class OpenedFile:
    """A file in its own library: its function, or the weights in it, and its description of itself."""

    card: str
    versions: dict[str, str]
    run: Callable[[np.ndarray], tuple[np.ndarray, ...]] | None = None
    weights: dict[str, np.ndarray] = field(default_factory=dict)


def _onnx(file: str, threads: int) -> OpenedFile:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # a damaged file is reported by the exception
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return OpenedFile(
        session.get_modelmeta().custom_metadata_map.get(KEY, ""),
        {"onnxruntime": onnxruntime.__version__},
        lambda image: tuple(session.run(None, {name: image})),
    )


def _torchscript(file: str, threads: int) -> OpenedFile:
    import torch

    torch.set_num_threads(threads or torch.get_num_threads())
    extra = {KEY: ""}
    versions = {"torch": str(torch.__version__)}
    try:
        model = torch.jit.load(file, _extra_files=extra)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        if "torchvision" not in str(error):
            raise
        versions |= _operations()
        model = torch.jit.load(file, _extra_files=extra)  # type: ignore[no-untyped-call]
    return OpenedFile(_text(extra[KEY]), versions, _of_torch(model))


def _pt2(file: str, threads: int) -> OpenedFile:
    import torch

    torch.set_num_threads(threads or torch.get_num_threads())
    extra = {KEY: ""}
    versions = {"torch": str(torch.__version__)}
    try:
        program = torch.export.load(file, extra_files=extra)
    except Exception:  # for some networks with NMS it says "see the warnings above"
        versions |= _operations()
        program = torch.export.load(file, extra_files=extra)
    return OpenedFile(_text(extra[KEY]), versions, _of_torch(program.module()))


def _operations() -> dict[str, str]:
    """Files contain NMS as torchvision's operation, which exists once it is imported, possibly for an earlier file."""
    import torchvision

    return {"torchvision": torchvision.__version__}


def _of_torch(model: Any) -> Callable[[np.ndarray], tuple[np.ndarray, ...]]:
    import torch

    def run(image: np.ndarray) -> tuple[np.ndarray, ...]:
        with torch.no_grad():
            return tuple(tensor.numpy() for tensor in model(torch.from_numpy(image)))

    return run


def _text(value: str | bytes) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else value


def _state_dict(file: str, threads: int) -> OpenedFile:
    import torch

    saved = torch.load(file, weights_only=True)
    weights = {name: tensor.numpy() for name, tensor in saved["state_dict"].items()}
    return OpenedFile(saved[KEY], {"torch": str(torch.__version__)}, weights=weights)


def _safetensors(file: str, threads: int) -> OpenedFile:
    import safetensors

    with safetensors.safe_open(file, framework="np") as opened:
        weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        card = (opened.metadata() or {}).get(KEY, "")
    return OpenedFile(card, {"safetensors": safetensors.__version__}, weights=weights)


OPENERS = {
    "onnx": _onnx, "torchscript": _torchscript, "pt2": _pt2, "state-dict": _state_dict, "safetensors": _safetensors,
}  # fmt: skip


def _times(run: Callable[[np.ndarray], object], image: np.ndarray, about: dict[str, Any]) -> np.ndarray:
    """Milliseconds of each of up to `most` runs in about `seconds`, after `warm` untimed ones."""
    for _ in range(about["warm"]):
        run(image)
    took: list[float] = []
    end = time.perf_counter() + about["seconds"]
    while len(took) < about["most"] and (time.perf_counter() < end or len(took) < about["least"]):
        begun = time.perf_counter()
        run(image)
        took.append(1000 * (time.perf_counter() - begun))
    return np.array(took)


def _answer(
    opened: OpenedFile, about: dict[str, Any], arrays: dict[str, np.ndarray]
) -> tuple[dict[str, Any], list[Any]]:
    if about["do"] == "weights":
        return {"names": list(opened.weights)}, list(opened.weights.values())
    assert opened.run is not None, "weights alone don't run"
    if about["do"] == "time":
        return {}, [_times(opened.run, arrays["image"], about)]
    return {}, list(opened.run(arrays["image"]))


def receive(stream: BinaryIO) -> dict[str, np.ndarray] | None:
    """The next message; None if the other side has ended."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    with np.load(io.BytesIO(stream.read(struct.unpack("<q", head)[0])), allow_pickle=False) as arrays:
        return dict(arrays)


def send(stream: BinaryIO, about: dict[str, Any], arrays: list[Any]) -> None:
    """Send it; arrays are named by their place."""
    packed = io.BytesIO()
    np.savez(packed, about=np.array(json.dumps(about)), **{str(i): array for i, array in enumerate(arrays)})
    stream.write(struct.pack("<q", packed.tell()) + packed.getvalue())
    stream.flush()


def _explained(error: BaseException) -> dict[str, Any]:
    first = (str(error).strip().splitlines() or [""])[0][:300]
    return {"error": f"{type(error).__name__}: {first}" if first else type(error).__name__}


def _open(about: dict[str, Any]) -> OpenedFile:
    if not Path(about["file"]).is_file():
        raise FileNotFoundError(about["file"])
    opened = OPENERS[about["kind"]](about["file"], about["threads"])
    if "torchvision" in sys.modules and "torch" in opened.versions:
        opened.versions |= _operations()
    return opened


def _opened(about: dict[str, Any]) -> tuple[OpenedFile, dict[str, Any]]:
    opened = _open(about)
    versions = {"python": platform.python_version(), **opened.versions}
    return opened, {"card": opened.card, "versions": versions, "runs": opened.run is not None}


def main() -> None:
    """Answer until the other side ends. What libraries print is discarded."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warnings.simplefilter("ignore")
    opened: OpenedFile | None = None
    while (message := receive(sys.stdin.buffer)) is not None:
        about = json.loads(str(message["about"]))
        try:
            if about["do"] == "open":
                opened = None  # the previous one may take much memory
                opened, words = _opened(about)
                send(answers, words, [])
            else:
                assert opened is not None, "no file is open"
                send(answers, *_answer(opened, about, message))
        except Exception as error:  # libraries raise dozens of types on damaged files
            send(answers, _explained(error), [])


if __name__ == "__main__":
    main()
