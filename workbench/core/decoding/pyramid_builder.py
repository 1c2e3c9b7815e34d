"""Makes the tile pyramid of a huge image with libvips, in a separate process.

It can be ended at once when another image is shown, a file that crashes it does no harm, and its 300 MiB are returned
to the system. libvips reads the image once from top to bottom and holds a few rows of tiles. A process boundary limits
crashes and memory; it is not a sandbox.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from workbench.core import child_process
from workbench.core.child_process import ChildEnded, ChildProcess
from workbench.core.decoding import pyramid
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.files import atomic_path
from workbench.core.windows_files import retry_while_in_use
from workbench.errors import Refused, WorkbenchError

QUALITY = 90
"""JPEG quality of the tiles: they should look like the file; 226 MB for 600 noisy megapixels."""
WORKERS = 2
"""Threads of libvips: each costs memory, and the window needs a processor, too."""
LOADERS = {"JPEG": "jpegload_source", "PNG": "pngload_source", "TIFF": "tiffload_source", "WEBP": "webpload_source"}
"""Those of images.FORMATS that can be huge and that the libvips in pyvips-binary reads."""


class PyramidBuilder:
    """Makes the pyramid of one image in a child process. `steps` runs in one thread, `cancel` may come from another."""

    def __init__(self, file: Path, window: IntensityWindow | None, cache: Path) -> None:
        self.file, self.window, self.cache = file, window, cache
        self._lock = threading.Lock()
        self._child: ChildProcess | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """End it at once; `steps` then ends without a pyramid."""
        with self._lock:
            self._cancelled = True
            if self._child is not None:
                self._child.kill()

    def steps(self) -> Iterator[float]:
        """Yield the share done, 0 to 1, until the pyramid is in place or was cancelled.

        WorkbenchError if it can't be made. A partial pyramid is never left behind.
        """
        from workbench.core import images  # not above: the child does without cv2, 56 MiB

        about = images.info(self.file)
        target = pyramid.pyramid_file(self.file, about, self.window, self.cache)
        if pyramid.find(self.file, about, self.window, self.cache) is not None:  # by another window, or just now
            yield 1.0
            return
        folder = target.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=".making-", dir=folder))
        except OSError as problem:
            raise _not_kept(folder, problem) from problem
        try:
            yield from self._run(work, about.format)
            if not self._cancelled:
                with atomic_path(target, sync=False) as temporary:
                    retry_while_in_use(os.replace, work / "made.zip", temporary)
                pyramid.trim(folder)
        except OSError as problem:
            raise _not_kept(folder, problem) from problem
        finally:
            with contextlib.suppress(OSError):
                retry_while_in_use(
                    shutil.rmtree, work
                )  # on Windows a process keeps its files open for moments after its end

    def _run(self, work: Path, format: str) -> Iterator[float]:
        window = [self.window.low, self.window.high] if self.window else None
        wanted = {"format": format, "window": window, "folder": str(work)}
        with self._lock:
            if self._cancelled:
                return
            environment = {"VIPS_CONCURRENCY": str(WORKERS)}
            self._child = ChildProcess(
                __name__, json.dumps(wanted), os.path.abspath(self.file), environment=environment
            )
        done = 0.0
        with contextlib.closing(self._child) as process, contextlib.suppress(ChildEnded):
            while True:
                answer = process.receive()
                if isinstance(answer, str):
                    raise Refused(self.file, answer)
                done = float(answer)
                yield done
        if done < 1.0 and not self._cancelled:
            raise Refused(self.file, "cutting it into tiles crashed; save it again as TIFF or JPEG")


def _not_kept(folder: Path, problem: OSError) -> WorkbenchError:
    reason = problem.strerror or problem
    return WorkbenchError(f"Details of a huge image can't be kept in {folder}: {reason}. Make room there.", problem)


# --- the child ---


def main() -> None:
    """The child: gets what to make (JSON) and the file's name; sends shares done, at last 1.0 or a sentence."""
    wanted, file = json.loads(sys.argv[1]), Path(sys.argv[2])
    child_process.begin(lambda: shutil.rmtree(wanted["folder"], ignore_errors=True))
    if hasattr(os, "nice"):
        os.nice(5)  # the window has priority
    window = IntensityWindow(*wanted["window"]) if wanted["window"] else None
    try:
        _make(file, wanted["format"], window, wanted["folder"])
        child_process.send(1.0)
    except Refused as refusal:
        child_process.send(refusal.reason)


def _make(file: Path, format: str, window: IntensityWindow | None, folder: str) -> None:
    """Cut `file` into `folder`/made.zip."""
    try:
        import pyvips
    except (ImportError, OSError) as problem:  # pyvips without libvips
        raise Refused(file, f"libvips, which cuts it into tiles, does not start; run {pyramid.INSTALL}") from problem
    if format not in LOADERS:
        raise Refused(file, f"a {format} of this size can't be shown; save it as TIFF, PNG or JPEG")
    pyvips.cache_set_max(0)

    def opened() -> Any:
        source = pyvips.Source.new_from_file(os.fsencode(file))
        return getattr(pyvips.Image, LOADERS[format])(source, access="sequential", fail_on="error")

    try:
        made = _to_8_bit(opened(), opened, window, file)
        made.set_progress(True)
        sent = -1

        def progress(_: object, state: Any) -> None:
            nonlocal sent
            if state.percent != sent and state.percent < 100:
                sent = state.percent
                child_process.send(sent / 100)

        made.signal_connect("eval", progress)
        os.chdir(folder)  # so that a plain name is enough: paths may contain what libvips takes for options
        side, kind = pyramid.tile_side(made.width), f".jpg[Q={QUALITY},keep=none]"
        made.dzsave("made.zip", tile_size=side, overlap=0, depth="onetile", container="zip", suffix=kind)
    except pyvips.Error as problem:
        if "No space left" in str(problem):
            raise Refused(file, "the disk is too full to keep its tiles; make room") from problem
        from workbench.core import images

        raise Refused(file, images.CUT_OFF if format == "JPEG" else images.DAMAGED) from problem


def _to_8_bit(image: Any, again: Callable[[], Any], window: IntensityWindow | None, file: Path) -> Any:
    """As in core.decoding.pixels: the window, transparency over white, CMYK by the plain formula. Nothing is turned."""
    if image.interpretation in ("lab", "labs", "labq"):
        image = image.colourspace("srgb")
    alpha = None
    if image.hasalpha():
        alpha, image = image[image.bands - 1], image[0 : image.bands - 1]
    if image.interpretation == "cmyk":
        image = ((255 - image[0:3]) * (255 - image[3]) / 255).rint().cast("uchar")
    elif image.format == "ushort":
        image = image.maplut(_table(window))
    elif image.format != "uchar":
        shown = window or _own_window(again, file)
        steepness = 255 / (shown.high - shown.low)
        image = (image * steepness + (0.5 - shown.low * steepness)).cast("uchar")  # casting clips at both ends
    if alpha is not None:
        if alpha.format == "ushort":
            alpha = alpha.maplut(_table(None))
        image = ((image * alpha + 255.0 * (255 - alpha)) / 255).rint().cast("uchar")
    return image.copy(interpretation="srgb" if image.bands == 3 else "b-w")


def _table(window: IntensityWindow | None) -> Any:
    """The 8-bit value for each value of 16 bits."""
    import numpy as np
    import pyvips

    from workbench.core.decoding import pixels

    values = pixels.to_8_bit(np.arange(65536, dtype=np.uint16), window)
    return pyvips.Image.new_from_memory(values.tobytes(), 65536, 1, 1, "uchar")


def _own_window(again: Callable[[], Any], file: Path) -> IntensityWindow:
    """As pixels.own_window: 0 to 1 if all values lie in it, else from the smallest to the largest."""
    low, high = float(again().min()), float(again().max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise Refused(file, "it holds infinite values; set the project's window for images of more than 8 bits")
    if low >= 0.0 and high <= 1.0:
        return IntensityWindow(0.0, 1.0)
    return IntensityWindow(low, high) if low < high else IntensityWindow(low - 0.5, low + 0.5)


if __name__ == "__main__":
    main()
