"""Reads our own NumPy archives (.npz), which may be damaged: caches, and the data a run was started with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read(file: Path, *names: str) -> list[NDArray[Any]]:
    """The arrays with these names. OSError if the file can't be read, ValueError if it is damaged or lacks one."""
    with open(file, "rb") as stream:  # opened here: NumPy leaves a damaged file open
        try:
            with np.load(stream, allow_pickle=False) as arrays:
                return [arrays[name] for name in names]
        except Exception as error:  # zipfile, zlib and NumPy's header parser raise a dozen kinds of errors on damage
            raise ValueError(f"{file} is damaged: {error!r}") from error
