"""A process in a container or a cluster's job takes no more cores and memory than it may use."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from workbench.core import control_groups
from workbench.core.control_groups import available_memory, usable_cores

GB = 1 << 30


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 64 cores and 500 GB of free memory."""
    monkeypatch.setattr(control_groups, "visible_cores", lambda: 64)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=500 * GB))
    return tmp_path


def write(root: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


STAT = "anon 5\ninactive_file {}\nactive_file 7\n"


@pytest.mark.parametrize(
    ("texts", "cores", "memory"),
    [
        ({}, 64, 500),  # another system
        (
            {  # a pod, which sees its own group as the outermost
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/memory.max": str(16 * GB),
                "sys/fs/cgroup/memory.current": str(10 * GB),
                "sys/fs/cgroup/memory.stat": STAT.format(2 * GB),
            },
            4,
            8,
        ),
        (
            {  # a job of SLURM, limited as a whole, whose steps are not
                "proc/self/cgroup": "0::/slurm/job_7/step_0\n",
                "sys/fs/cgroup/slurm/job_7/step_0/cpu.max": "max 100000\n",
                "sys/fs/cgroup/slurm/job_7/step_0/memory.max": "max\n",
                "sys/fs/cgroup/slurm/job_7/step_0/memory.current": str(GB),
                "sys/fs/cgroup/slurm/job_7/cpu.max": "250000 100000\n",
                "sys/fs/cgroup/slurm/job_7/memory.max": str(32 * GB),
                "sys/fs/cgroup/slurm/job_7/memory.current": str(2 * GB),
            },
            3,
            30,
        ),
        (
            {  # version 1, in a container that does not find its path outside
                "proc/self/cgroup": "5:memory:/docker/8a\n4:cpu,cpuacct:/docker/8a\n0::/docker/8a\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(4 * GB),
                "sys/fs/cgroup/memory/memory.usage_in_bytes": str(6 * GB),
                "sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 9\n",
            },
            1,
            0,
        ),
        (
            {  # version 1 without limits
                "proc/self/cgroup": "5:memory:/\n4:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": str(GB),
            },
            64,
            500,
        ),
    ],
)
def test_the_narrowest_limit_counts(root: Path, texts: dict[str, str], cores: int, memory: int) -> None:
    write(root, texts)
    assert usable_cores(root) == cores
    assert available_memory(root) == memory * GB


def test_of_this_machine_something_may_be_used() -> None:
    assert 1 <= usable_cores() <= control_groups.visible_cores()
    assert 0 < available_memory() <= psutil.virtual_memory().total
