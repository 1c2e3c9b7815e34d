"""However an archive of arrays is damaged, whoever reads it hears of it in one way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from workbench.core.parsing import npz

NUMBERS = np.arange(3000) % 7
PACKED = 150  # a byte of what was packed


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.savez_compressed(tmp_path / "a.npz", numbers=NUMBERS)
    return tmp_path / "a.npz"


def test_arrays_come_in_the_order_asked(file: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "b.npz", one=np.array([1]), two=np.array([2, 2]))
    assert np.array_equal(npz.read(file, "numbers")[0], NUMBERS)
    assert [array.tolist() for array in npz.read(tmp_path / "b.npz", "two", "one")] == [[2, 2], [1]]


def changed(data: bytes, at: int, to: bytes) -> bytes:
    return data[:at] + to + data[at + len(to) :]


@pytest.mark.parametrize("case", ["empty", "no zip", "an array alone", "half", "packed", "method", "encrypted"])
def test_damage_of_any_kind_is_a_value_error(file: Path, case: str) -> None:
    data = file.read_bytes()
    listed = data.index(b"PK\1\2")  # where the zip lists its member
    single = file.with_name("c.npy")
    np.save(single, NUMBERS)
    damaged = {
        "empty": b"", "no zip": b"x" * 100, "an array alone": single.read_bytes(), "half": data[: len(data) // 2],
        "packed": changed(data, PACKED, bytes(range(40))),  # zlib.error
        "method": changed(data, listed + 10, b"\x63"),  # NotImplementedError
        "encrypted": changed(data, listed + 8, b"\x01"),  # RuntimeError
    }  # fmt: skip
    file.write_bytes(damaged[case])
    with pytest.raises(ValueError, match="damaged"):
        npz.read(file, "numbers")


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    """Unpickling runs what its writer likes."""
    np.savez(tmp_path / "b.npz", numbers=np.array([{1}], object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        npz.read(tmp_path / "b.npz", "numbers")


def test_what_is_not_there_is_told_apart(file: Path) -> None:
    with pytest.raises(ValueError, match="others"):
        npz.read(file, "others")
    with pytest.raises(FileNotFoundError):
        npz.read(file.with_name("nowhere.npz"), "numbers")
