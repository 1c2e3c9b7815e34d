"""The processor cores and the memory that this process may use: in a container or a cluster's job, not all there are.

Docker, Kubernetes, SLURM and systemd limit processes by Linux's control groups (man 7 cgroups), which neither Python
nor psutil ask. A training with a thread for each core of the machine would be stopped most of the time, and one with
its images in memory that only others may use would be killed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")
_MEMORY = (  # of version 2 and 1: the limit, what is used, and the part of that which Linux frees when it is needed
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def visible_cores() -> int:
    """Processor cores of this machine on which this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def usable_cores(root: Path = ROOT) -> int:
    """Of these, as many as this process may keep busy, rounded up. `root`: where /proc and /sys are."""
    return max(1, min([visible_cores(), *(math.ceil(one) for group in _groups("cpu", root) for one in _quota(group))]))


def available_memory(root: Path = ROOT) -> int:
    """Bytes that this process can still take without others being swapped out, or itself being killed."""
    import psutil

    free = int(psutil.virtual_memory().available)
    return min([free, *(room for group in _groups("memory", root) for room in _room(group))])


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """The folders of this process's control group and of those around it, each of which may have a limit.

    In a container the first may not be found by the path that the process has outside; the last is then its own.
    """
    for line in _lines(root / "proc" / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mounted = root / "sys" / "fs" / "cgroup" / (controller if controllers else "")
        own = PurePosixPath(path.lstrip("/"))
        yield from (mounted / place for place in (own, *own.parents))


def _quota(group: Path) -> Iterator[float]:
    """The limit in processors, if there is one."""
    limit = _words(group, "cpu.max") or [*_words(group, "cpu.cfs_quota_us"), *_words(group, "cpu.cfs_period_us")]
    if len(limit) == 2 and limit[0] not in ("max", "-1"):
        yield int(limit[0]) / int(limit[1])


def _room(group: Path) -> Iterator[int]:
    """Bytes up to the limit, if there is one."""
    for limit, used, freed in _MEMORY:
        most, now, about = _words(group, limit), _words(group, used), _words(group, "memory.stat")
        if most and now and most != ["max"]:
            freeable = int(about[about.index(freed) + 1]) if freed in about else 0
            yield max(int(most[0]) - int(now[0]) + freeable, 0)


def _words(group: Path, name: str) -> list[str]:
    return [word for line in _lines(group / name) for word in line.split()]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8").splitlines()
    except OSError:
        return []
