"""Results that threads make in advance, in their order: pictures are decoded while the network looks at others."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from workbench.core.tiling import Tiling

READERS = 4  # threads that decode while the network runs; decoding releases Python's lock
LARGE = 2  # pictures read ahead of tiles: they are large
T = TypeVar("T")
R = TypeVar("R")


def how_far(batch: int, tiling: Tiling | None) -> int:
    """How many pictures to read ahead of a network that is given so many views at a time."""
    return LARGE if tiling else batch


def read_ahead(read: Callable[[T], R], items: Iterable[T], ahead: int) -> Generator[R, None, None]:
    """`read(item)` of each item in order, up to `ahead` of them in advance. What it raises is raised in its turn.

    Close it: that waits for what is being read, a picture for each thread.
    """
    waiting: deque[Future[R]] = deque()
    readers = ThreadPoolExecutor(min(READERS, os.cpu_count() or 1), thread_name_prefix="reading")
    try:
        for item in items:
            waiting.append(readers.submit(read, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        readers.shutdown(wait=True, cancel_futures=True)
