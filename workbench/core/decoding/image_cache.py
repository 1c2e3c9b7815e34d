"""Keeps the most recently viewed images in memory, so that going back to one shows it at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np

from workbench.core import images
from workbench.core.decoding.intensity_window import IntensityWindow

_Key = tuple[str, int, int, IntensityWindow | None]


class ImageCache:
    """Decoded images, the least recently used dropped first, never more than `max_bytes` of pixels.

    Thread-safe: two threads that ask for the same image at once may both decode it, which only costs time.
    A file that changed on disk (time or size) is read again.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, np.ndarray] = OrderedDict()
        self._bytes = 0

    def read(self, file: Path, window: IntensityWindow | None = None) -> np.ndarray:
        """As images.read, but the array is shared and therefore read-only: copy it to draw into it."""
        key = _key(file, window)
        with self._lock:
            if key is not None and key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        image = images.read(file, window)
        image.flags.writeable = False
        if key is not None:
            self._keep(key, image)
        return image

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    @property
    def bytes(self) -> int:
        """How many bytes are kept now."""
        return self._bytes

    def _keep(self, key: _Key, image: np.ndarray) -> None:
        with self._lock:
            if key in self._kept or image.nbytes > self._max_bytes:
                return
            self._kept[key] = image
            self._bytes += image.nbytes
            while self._bytes > self._max_bytes:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= dropped.nbytes


def _key(file: Path, window: IntensityWindow | None) -> _Key | None:
    """Taken before decoding, so that a change meanwhile is noticed; None if images.read will report an error."""
    try:
        about = file.stat()
    except (OSError, ValueError):
        return None
    return str(file), about.st_mtime_ns, about.st_size, window
