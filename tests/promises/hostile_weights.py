"""Files of weights that attack whoever opens them, and sound ones that were damaged: .pt, .safetensors and .weights."""

from __future__ import annotations

import io
import json
import os
import pickle
import runpy
import struct
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.core.awkward_files import mutated
from tests.promises.form import times
from workbench import detectors
from workbench.core.project import Label
from workbench.detectors.parts import darknet
from workbench.detectors.parts.detector import Detector
from workbench.training.checkpoints import checkpoint
from workbench.training.checkpoints.header import KEY, CheckpointHeader

LABELS = ("cell", "platelet")
_OTHERS = (b"_rebuild_sparse_tensor", b"_rebuild_qtensor", b"_rebuild_meta_tensor_no_storage", b"Counter")
SUFFIXES = (".pth", ".state.pt", ".safetensors", ".weights")


def network(seed: int = 0) -> Detector:
    """A small one that all kinds of files can be for."""
    torch.manual_seed(seed)
    kind = detectors.load_all().get("yolov3-tiny")
    return detectors.build("yolov3-tiny", kind.settings_class(input_px=64, width=0.1), len(LABELS))


class Calls:
    """A pickle of this calls `function(*arguments)` where it is loaded."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._what = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._what


def files(folder: Path, canary: Path, count: int) -> list[Path]:
    """All attacks (in the short form every third), and damaged sound files until there are `count`.

    What runs makes `canary`.
    """
    sound = {suffix: _sound(folder, suffix) for suffix in SUFFIXES}
    made = []
    attacks = [*_pickles(canary), *_tensors(), *_safetensors(sound[".safetensors"]), *_darknet(sound)]
    for name, data in attacks[:: times(3, 1)]:
        (file := folder / name).write_bytes(data)
        made.append(file)
    for number in range(count - len(made)):
        suffix = SUFFIXES[number % len(SUFFIXES)]
        data = _damaged(sound[suffix], np.random.default_rng(number), canary)
        (file := folder / f"damaged {number}{suffix}").write_bytes(data)
        made.append(file)
    return made


def _damaged(data: bytes, random: np.random.Generator, canary: Path) -> bytes:
    """Its head, its tail (an archive's directory) or a place inside changed; or its numbers, or its length."""
    match int(random.integers(0, 6)):
        case 0:
            return data[: int(random.integers(0, len(data)))]
        case 1:
            return mutated(data[:4096], random) + data[4096:]
        case 2:
            return data[:-4096] + mutated(data[-4096:], random)
        case 3:  # what are numbers are others now: NaN and infinity among them
            made = bytearray(data)
            for at in random.integers(0, len(made) - 4, 3):
                made[at : at + 4] = random.choice([b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff" * 4, bytes(4)])
            return bytes(made)
        case 4:  # other words in the pickle: other functions of torch
            words = (b"_rebuild_tensor_v2", b"OrderedDict", b"FloatStorage")
            found = [word for word in words if word in data]
            if found:
                word = found[int(random.integers(0, len(found)))]
                others = (
                    b"_rebuild_sparse_tensor",
                    b"_rebuild_qtensor",
                    b"_rebuild_meta_tensor_no_storage",
                    b"Counter",
                )
                other = others[int(random.integers(0, len(others)))]
                return data.replace(word, other[: len(word)].ljust(len(word), b"x"))
        case _:
            pass
    return mutated(data, random)


def _sound(folder: Path, suffix: str) -> bytes:
    detector, file = network(1), folder / f"sound{suffix}"
    if suffix == ".weights":
        darknet.write(detector, file)
    elif suffix == ".safetensors":
        checkpoint.save_detector(file, detector.state_dict(), header())
    elif suffix == ".pth":
        torch.save(detector.state_dict(), file)
    else:
        state = checkpoint.State(
            1, dict(detector.state_dict()), dict(detector.state_dict()), {"state": {}, "param_groups": [{"lr": 0.1}]},
            torch.get_rng_state(), None, 0.1, 0.2, 0, 1, 1.5, "fp32", 2, header().to_json(),
        )  # fmt: skip
        checkpoint.save_state(file, state)
    data = file.read_bytes()
    file.unlink()
    return data


def header(**changes: Any) -> CheckpointHeader:
    detector = network()
    values: dict[str, Any] = {
        "detector": "yolov3-tiny", "detector_settings": {"input_px": 64, "width": 0.1},
        "labels": tuple(Label(i, name) for i, name in enumerate(LABELS, 1)), "anchors": detector.anchors,
        "input_px": 64, "resize": detector.resize,
    }  # fmt: skip
    return CheckpointHeader(**values | changes)


# --- pickles that run code ---


def _pickles(canary: Path) -> Iterator[tuple[str, bytes]]:
    where, command = str(canary), f"touch '{canary}'"
    run = f"open({where!r}, 'w').close()"
    calls: dict[str, Any] = {
        "os.system": Calls(os.system, command),
        "os.popen": Calls(os.popen, command),
        "eval": Calls(eval, run),
        "exec": Calls(exec, run),
        "open": Calls(open, where, "w"),
        "getattr": Calls(getattr, Calls(__import__, "os"), "system"),
        "import": Calls(__import__, "antigravity"),
        "runpy": Calls(runpy.run_path, where),
        "touch": Calls(Path.touch, canary),
        "Counter": Calls(Counter, Calls(eval, run)),
        "bytearray of 100 GB": Calls(bytearray, 10**11),
        "torch.load": Calls(torch.load, where),
        "torch.hub": Calls(torch.hub.load, where, "a", Calls(eval, run)),
        "torch.storage": Calls(torch.storage._load_from_bytes, pickle.dumps(Calls(eval, run))),
        "torch.save": Calls(torch.save, 1, where),
        "torch.ones": Calls(torch.ones, 10**10),
        "vars": Calls(vars),
    }
    for name, attack in calls.items():
        nested = {"model": OrderedDict(a=torch.zeros(2), b=[(attack,)])}
        for depth, content in (("", attack), (" inside", nested)):
            for form, data in _as_files(content):
                yield f"{name}{depth} {form}", data
    yield "raw opcodes.pth", _archive(b"cos\nsystem\n(V" + command.encode() + b"\ntR.")
    yield "stack global.pth", _archive(pickle.dumps(Calls(os.system, command), protocol=4))
    yield "instance.pth", _archive(b"(V" + command.encode() + b"\nios\nsystem\n.")
    yield "two pickles.pth", _archive(_plain(), more=pickle.dumps(Calls(os.system, command), protocol=2))
    yield "nested 100,000 deep.pth", _archive(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".")
    yield "two million lists.pth", _archive(b"\x80\x02(" + b"]" * 2_000_001 + b"l.")
    yield "a long number.pth", _archive(b"\x80\x02\x8b" + struct.pack("<i", 1_000_000) + b"\x7f" * 1_000_000 + b".")
    yield "digits.pth", _archive(b"I" + b"9" * 1_000_000 + b"\n.")
    yield "doubled lists.pth", _archive(b"\x80\x02]" + b"2\x86" * 60 + b".")


def _as_files(content: Any) -> Iterator[tuple[str, bytes]]:
    for suffix in (".pth", ".state.pt"):
        for new in (True, False):
            stream = io.BytesIO()
            whole = {"version": 1, "step": content} if suffix == ".state.pt" else content
            torch.save(whole, stream, _use_new_zipfile_serialization=new)
            yield f"{'' if new else 'old '}{suffix}", stream.getvalue()


def _plain() -> bytes:
    return pickle.dumps(OrderedDict(), protocol=2)


def _archive(
    content: bytes, storages: dict[str, bytes] | None = None, more: bytes = b"", packing: int = zipfile.ZIP_STORED
) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as archive:
        archive.writestr("archive/data.pkl", content)
        if more:
            archive.writestr("archive/DATA.pkl", more)
        for name, data in (storages or {}).items():
            archive.writestr(f"archive/data/{name}", data)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/byteorder", b"little")
    return stream.getvalue()


# --- tensors that lie ---


def _tensor(
    count: int, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0, kind: bytes = b"Float"
) -> bytes:
    """A pickle of {"a": a tensor} of a storage that says it has `count` values."""
    number = lambda n: b"\x8a\x09" + struct.pack("<q", n) + b"\0"  # noqa: E731

    def row(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(number(value) for value in values) + b"t"

    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu" + number(count) + b"tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + row(size) + row(stride)
    tensor += b"\x89ccollections\nOrderedDict\n)RtR"
    return b"\x80\x02}X\x01\0\0\0a" + tensor + b"s."


def _tensors() -> Iterator[tuple[str, bytes]]:
    four = {"0": bytes(4)}
    yield "expanded to 160 GB.pth", _archive(_tensor(1, (200_000, 200_000), (0, 0)), four)
    yield "larger than its storage.pth", _archive(_tensor(1, (200_000, 200_000), (200_000, 1)), four)
    yield "storage says 400 GB.pth", _archive(_tensor(10**11, (10**11,), (1,)), four)
    yield "negative size.pth", _archive(_tensor(1, (-5,), (1,)), four)
    yield "negative stride.pth", _archive(_tensor(1, (5,), (-1,)), four)
    yield "negative offset.pth", _archive(_tensor(1, (1,), (1,), -(10**9)), four)
    yield "far offset.pth", _archive(_tensor(1, (1,), (1,), 10**12), four)
    yield "2^62 values.pth", _archive(_tensor(2**62, (2**31, 2**31), (2**31, 1)), four)
    yield "no storage.pth", _archive(_tensor(1, (1,), (1,)))
    size = times(1 << 26, 1 << 30)
    yield (
        "packed gigabyte.pth",
        _archive(_tensor(size // 4, (size // 4,), (1,)), {"0": bytes(size)}, packing=zipfile.ZIP_DEFLATED),
    )
    yield "packed description.pth", _archive(b"\x80\x02]" + b"]a" * 5_000_000 + b".", packing=zipfile.ZIP_DEFLATED)
    yield "NaN.pth", _archive(_tensor(1, (1,), (1,)), {"0": struct.pack("<f", float("nan"))})
    kinds: dict[str, Any] = {
        "sparse": torch.sparse_coo_tensor(
            torch.tensor([[0], [0]]), torch.tensor([1.0]), (200_000, 200_000), check_invariants=False
        ),
        "meta": torch.empty(10**12, device="meta"),
        "quantised": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        "complex": torch.ones(3, dtype=torch.complex64),
        "numbers as names": None, "no dictionary": None,
    }  # fmt: skip
    for name, tensor in kinds.items():
        content: Any = {"a": tensor} if tensor is not None else ({1: torch.ones(1)} if "names" in name else [1, 2])
        for form, data in _as_files(content):
            yield f"{name} {form}", data
    lies = bytearray(_archive(_plain(), {"0": bytes(400)}))
    at = lies.rindex(b"PK\1\2", 0, lies.rindex(b"archive/data/0"))
    lies[at + 20 : at + 28] = struct.pack("<II", 2**31, 2**31)
    yield "archive says 2 GB.pth", bytes(lies)
    lies = bytearray(_archive(_plain()))
    at = lies.rindex(b"PK\5\6")
    lies[at + 8 : at + 20] = struct.pack("<HHII", 65_535, 65_535, 2**32 - 1, 0)
    yield "archive says 65,535 members.pth", bytes(lies)


# --- safetensors ---


def _of_head(head: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(head) if length is None else length) + head + data


def _safetensors(sound: bytes) -> Iterator[tuple[str, bytes]]:
    size = int.from_bytes(sound[:8], "little")
    head, data = json.loads(sound[8 : 8 + size]), sound[8 + size :]

    def with_head(changed: dict[str, Any], rest: bytes = data) -> bytes:
        return _of_head(json.dumps(changed).encode(), rest)

    first = next(name for name in head if name != "__metadata__" and head[name]["dtype"] == "F32")
    yield "head of 2^63.safetensors", _of_head(b"{}", length=2**63)
    yield "head of 90 MB that is not there.safetensors", _of_head(b"{}", length=90_000_000)
    yield "head of 10 MB of lists.safetensors", _of_head(b'{"a":[' + b"[]," * 3_000_000 + b"[]]}")
    yield "head 100,000 deep.safetensors", _of_head(b'{"a":' + b"[" * 100_000)
    yield "no head.safetensors", b""
    for name, change in {
        "160 GB": {"shape": [200_000, 200_000]}, "negative": {"shape": [-1]}, "2^63": {"shape": [2**63]},
        "offsets past the end": {"data_offsets": [0, 10**12]}, "offsets turned": {"data_offsets": [40, 0]},
        "another kind": {"dtype": "F64"}, "an unknown kind": {"dtype": "X9"}, "no shape": {"shape": "x"},
        "eight bits": {"dtype": "F8_E4M3", "shape": [1]},
    }.items():  # fmt: skip
        yield f"{name}.safetensors", with_head(head | {first: head[first] | change})
    same = {name: about if name == "__metadata__" else head[first] for name, about in head.items()}
    yield "overlapping.safetensors", with_head(same)
    start = head[first]["data_offsets"][0]
    for name, number in (("NaN", float("nan")), ("infinity", float("-inf"))):
        yield f"{name}.safetensors", with_head(head, data[:start] + struct.pack("<f", number) + data[start + 4 :])
    about = json.loads(head["__metadata__"][KEY])
    for name, changes in _headers(about):
        text = json.dumps(about | changes)
        yield f"{name}.safetensors", with_head(head | {"__metadata__": {KEY: text}})


def _headers(about: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    label = about["labels"][0]
    yield "20,000 labels", {"labels": [label | {"id": i, "name": f"n{i}"} for i in range(20_000)]}
    yield "no labels", {"labels": []}
    yield "a million anchors", {"anchors": [[1, 2]] * 300_000}
    yield "anchors that are no numbers", {"anchors": [[float("nan"), -1]] * 6}
    yield "input of 10^9", {"input_px": 10**9}
    yield "input of -1", {"input_px": -1}
    yield "an unknown detector", {"detector": "../../etc/passwd"}
    yield "a detector that is a list", {"detector": ["yolov3"]}
    yield "another detector", {"detector": "faster-rcnn", "detector_settings": {}}
    yield "the largest detector", {"detector": "yolov1", "detector_settings": {"width": 4.0, "input_px": 2048}}
    yield "width of 10^9", {"detector_settings": {"width": 1e9, "input_px": 64}}
    yield "width that is a list", {"detector_settings": {"width": [1], "input_px": 64}}
    yield "settings that are a list", {"detector_settings": [1]}
    yield "settings that name a file", {"detector_settings": {"cfg": "/etc/passwd", "tree": "/etc/passwd"}}
    yield "an unknown resize", {"resize": "eval"}
    yield "a newer version", {"version": 10**9}
    yield "labels that are a number", {"labels": 5}


# --- Darknet ---


def _darknet(sound: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    data = sound[".weights"]
    nan = struct.pack("<f", float("nan"))
    for name, made in {
        "one float short": data[:-4], "one byte short": data[:-1], "one float more": data + bytes(4),
        "twice": data + data, "header alone": data[:20], "half a header": data[:10], "nothing": b"",
        "NaN": data[:-4] + nan, "infinity": data[:100] + struct.pack("<f", float("inf")) + data[104:],
        "a version of -1": struct.pack("<i", -1) + data[4:], "a version of 10^9": struct.pack("<i", 10**9) + data[4:],
        "an old header, four bytes too long": struct.pack("<iii", 0, 1, 0) + data[12:], "an archive": sound[".pth"],
        "a checkpoint": sound[".safetensors"],
    }.items():  # fmt: skip
        yield f"{name}.weights", made
