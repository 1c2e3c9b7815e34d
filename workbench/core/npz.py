"""Reads NumPy archives (.npz) of our own, which may be damaged: caches, and what a run was started with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read(file: Path, *names: str) -> list[NDArray[Any]]:
    """The arrays of these names. OSError if the file can't be read, ValueError if it is damaged or lacks one."""
    with open(file, "rb") as stream:  # opened here: NumPy leaves a damaged file open
        try:
            with np.load(stream, allow_pickle=False) as arrays:
                return [arrays[name] for name in names]
        except Exception as error:  # zipfile, zlib and NumPy's reading of headers answer damage with a dozen kinds
            raise ValueError(f"{file} is damaged: {error!r}") from error
