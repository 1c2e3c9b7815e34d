"""Opens untrusted torch.save files: no code runs, and no more is allocated than the file contains.

torch.load(weights_only=True) runs no code, but trusts sizes: `bytearray(10**11)`, a compressed gigabyte or a tensor of
1.4 KB that claims 160 GB fill the memory. So the pickle is read before it is executed (it may name only plain tensors),
archives must contain all bytes that they claim, and the result must be plain, finite and no larger than the file.

It runs in this process: a child (2 s to import torch, and a copy of all weights) would only limit memory, as these
checks already do. Of 1,000 hostile files none ended the process (tests/promises/test_hostile_weights.py).
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from workbench.core import formatting
from workbench.errors import Refused

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 32 << 30
"""Bytes of a file of weights. YOLOv1's state has 4.5 GB at 448 px: its weights, their average, and two numbers that
AdamW keeps of each. At larger sides it grows with their square.
"""

_STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
ALLOWED = frozenset(
    (
        "collections OrderedDict", "torch Size", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter",
        *(f"torch {kind}Storage" for kind in _STORAGES),
    )
)  # fmt: skip
"""What a pickle may name, as written by pickletools: what torch.save uses for dense tensors on the CPU."""
_FORBIDDEN = {"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "REDUCE_EX", "BYTEARRAY8"}
_STEPS = 2_000_000
"""The most instructions of a pickle: 5,000 tensors take 300,000."""
_PICKLES = 5
"""In files from before torch 1.6: magic number, version, machine, content, names of the storages."""
_DIRECTORY = 8 << 20
"""The most bytes of an archive's directory."""

DAMAGED = "this is not a file of only weights: it is damaged or would run code."


def load(file: Path) -> Any:
    """The content of a torch.save file, on the CPU. Refused unless it consists of plain tensors and plain values."""
    import torch

    try:
        with open(file, "rb") as stream:
            _look_into(stream, file)
            stream.seek(0)
            return torch.load(stream, map_location="cpu", weights_only=True)
    except Refused:
        raise
    except OSError as error:
        raise Refused(file, f"it could not be read: {error.strerror or error}.", cause=error) from error
    except MemoryError as error:
        raise Refused(file, "there is not enough memory to open it.", cause=error) from error
    except Exception as error:  # torch raises many kinds on damaged or foreign files
        raise Refused(file, DAMAGED, cause=error) from error


def check_tensors(file: object, tensors: Mapping[str, Any], size: int) -> None:
    """Refused unless all are dense, on the CPU, finite, of common dtypes and together no larger than `size` allows.

    Twice the file's size is allowed: some networks use one tensor in two places.
    """
    import torch

    usual = {
        torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16,
        torch.int8, torch.uint8, torch.bool,
    }  # fmt: skip
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) > 2 * size:
        raise Refused(file, "its tensors claim to be larger than the file; do not use it.")
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.dtype not in usual:
            raise Refused(file, f"'{name}' is not a plain tensor; save the weights as dense numbers.")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise Refused(file, f"the weights of '{name}' are not finite numbers: its training had failed.")


def tensors_in(value: Any, name: str = "") -> Iterable[tuple[str, Tensor]]:
    """All tensors in dictionaries, lists and tuples, by their path."""
    import torch

    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from tensors_in(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for key, inner in enumerate(value):
            yield from tensors_in(inner, f"{name}.{key}")


def check_size(file: Path) -> int:
    """The size of a file in bytes; Refused if it is too large to be weights."""
    size = file.stat().st_size
    if size > LARGEST:
        raise Refused(file, f"it has {formatting.size(size)}, more than any network has. Choose another file.")
    return size


def _look_into(stream: IO[bytes], file: Path) -> None:
    check_size(file)
    if stream.read(4) == b"PK\3\4":
        _look_into_archive(stream, file)
        return
    stream.seek(0)
    for _ in range(_PICKLES):
        _look_at(stream, file)


def _look_into_archive(stream: IO[bytes], file: Path) -> None:
    size = file.stat().st_size
    stream.seek(max(0, size - (1 << 16) - 22))
    tail = stream.read()
    end = tail[tail.rfind(b"PK\5\6") :]
    if len(end) < 22 or int.from_bytes(end[12:16], "little") > _DIRECTORY:
        raise Refused(file, DAMAGED)
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > size or any(
            member.compress_type != zipfile.ZIP_STORED for member in members
        ):
            raise Refused(file, "it unpacks to more than its own size, which torch.save never writes; do not use it.")
        pickles = [member for member in members if member.filename.lower().endswith("data.pkl")]
        if len(pickles) != 1:
            raise Refused(file, DAMAGED)
        with archive.open(pickles[0]) as content:
            _look_at(content, file)


def _look_at(stream: IO[bytes], file: Path) -> None:
    """Read one pickle without executing it."""
    for step, (code, argument, _) in enumerate(pickletools.genops(stream)):
        named = code.name == "GLOBAL" and argument not in ALLOWED
        if named or code.name in _FORBIDDEN:
            what = str(argument).replace(" ", ".") if named else code.name
            raise Refused(
                file, f"it would run code ({what[:80]}), so it was not opened. Choose a file of only weights."
            )
        if step > _STEPS:
            raise Refused(file, "its description is too long for weights; do not use it.")
