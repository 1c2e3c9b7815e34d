"""The program with a soak's hand at it: works until its time is over, measures after each cycle, and closes the window.

    python -m tests.promises.soak_child PROJECT PLAN SECONDS CYCLES SEED [FAULT ...]

The program is the real one, `workbench.__main__`. PLAN is a Plan as JSON; at least CYCLES cycles are done. Each measure
is a line of JSON. Faults are of the controls: after each cycle something is left on purpose.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

import workbench.ui.window.main_window as main_window
from tests.promises.soak_hand import Condition
from tests.promises.soak_measure import LoopClock, kinds_of_objects, measured
from tests.promises.soak_session import Plan, Session
from workbench.__main__ import main

STEP = 10
"""Milliseconds between two steps of the hand."""
PATIENCE = 180
"""Seconds that it waits for anything."""
LEFT_BEHIND: list[object] = []


def memory() -> None:
    """A twelfth of what there is, written to so that it is resident."""
    resident = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    LEFT_BEHIND.append(bytearray(os.urandom(1) * (resident // 12)))


def thread() -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def handle() -> None:
    LEFT_BEHIND.append(open(os.devnull, encoding="utf-8"))  # noqa: SIM115 - it is left


def file() -> None:
    LEFT_BEHIND.append(tempfile.NamedTemporaryFile(delete=False).close())


def widget() -> None:
    LEFT_BEHIND.append(QWidget())


FAULTS: dict[str, Callable[[], None]] = {one.__name__: one for one in (memory, thread, handle, file, widget)}


class Soaked(main_window.MainWindow):
    """Begins when it is seen."""

    plan, seconds, cycles, seed, deeds = Plan(), 0.0, 1, 0, Path()
    faults: tuple[str, ...] = ()
    failed = False

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if hasattr(self, "_pace"):
            return
        self._begun = time.monotonic()
        self._loop = LoopClock(self)
        self._wanted: Condition | None = lambda: self.session.document is not None
        self._since = time.monotonic()
        self._steps = self._all()
        self._pace = QTimer(self, interval=STEP)
        self._pace.timeout.connect(self._go)
        self._pace.start()

    def _all(self) -> Iterator[Condition | None]:
        with open(self.deeds, "w", encoding="utf-8") as deeds:
            self._hand = Session(self, self.plan, self.seed, deeds)
            cycle = 0
            kinds: Counter[str] = Counter()
            while cycle < self.cycles or time.monotonic() - self._begun < self.seconds:
                cycle += 1
                yield from self._hand.cycle()
                for fault in self.faults:
                    if fault in FAULTS:
                        FAULTS[fault]()
                passed = time.monotonic() - self._begun
                made = measured(cycle, passed, self._hand.deeds, self, Path(tempfile.gettempdir()), self._loop)
                print(json.dumps(dataclasses.asdict(made)), flush=True)
                if "kinds" in self.faults:
                    now = kinds_of_objects()
                    more = (now - kinds).most_common(25) if kinds else []
                    kinds = now
                    print(json.dumps({"kinds": more, "all": sum(now.values())}), flush=True)
                self._loop.reset()

    def _go(self) -> None:
        """The next step, if what it waits for has come."""
        try:
            if self._wanted is not None and not self._wanted():
                if time.monotonic() - self._since > PATIENCE:
                    self._fail(f"waited {PATIENCE} s in stage {self._hand.stage}, {_where(self._steps)}")
                return
            self._wanted = next(self._steps)
            self._since = time.monotonic()
            self._loop.stage = self._hand.stage
        except StopIteration:
            self._pace.stop()
            self.close()
        except Exception:
            self._fail(traceback.format_exc())

    def _fail(self, why: str) -> None:
        Soaked.failed = True
        self._pace.stop()
        self.grab().save(str(self.deeds.with_name("failed.png")))
        print(json.dumps({"failed": why}), flush=True)
        self.closing.close_at_once()


def _where(steps: object) -> str:
    """The line of the innermost generator that waits."""
    while getattr(steps, "gi_yieldfrom", None) is not None:
        steps = steps.gi_yieldfrom  # type: ignore[attr-defined]
    frame = getattr(steps, "gi_frame", None)
    return f"{frame.f_code.co_qualname}:{frame.f_lineno}" if frame is not None else "at its end"


def run() -> int:
    project = Path(sys.argv[1])
    plan = json.loads(sys.argv[2])
    Soaked.plan = Plan(**{**plan, "stages": tuple(plan["stages"])})
    Soaked.seconds, Soaked.cycles, Soaked.seed = float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
    Soaked.faults, Soaked.deeds = tuple(sys.argv[6:]), project.parent / "deeds.jsonl"
    main_window.MainWindow = Soaked  # type: ignore[misc]
    sys.argv[1:] = [str(project)]
    return main() or int(Soaked.failed)


if __name__ == "__main__":
    raise SystemExit(run())
