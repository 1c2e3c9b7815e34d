"""When a training writes its last checkpoint: what a kill, or a power cut, may cost."""

from __future__ import annotations

import time

from workbench.training.hardware.runtime import Runtime

EVERY = 60.0  # seconds between two saves at ends of epochs
WITHIN = 300.0  # the same within an epoch, which can take hours
AGREE_EVERY = 50  # steps after which several processes ask each other


class SaveSchedule:
    """Decides when to save. Call `begin` when the training begins and after each save."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.begin()

    def begin(self) -> None:
        self._saved = time.monotonic()

    def after_epoch(self) -> bool:
        """In the process that saves; with several, the others don't know."""
        return self._runtime.is_main and time.monotonic() - self._saved > EVERY

    def within_epoch(self, step: int) -> bool:
        """The same in all processes, as all of them read their steps first."""
        if self._runtime.world > 1 and step % AGREE_EVERY:
            return False
        return bool(self._runtime.agree(self._runtime.is_main and time.monotonic() - self._saved > WITHIN))
