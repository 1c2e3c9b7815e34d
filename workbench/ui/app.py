"""Starts the window: checks the display and Qt's libraries, opens the log, and handles uncaught errors.

Qt is imported only after the checks, and torch only after the first paint.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import re
import signal
import sys
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from PySide6.QtCore import QMessageLogContext, QtMsgType

    from workbench.ui.window.main_window import MainWindow

log = logging.getLogger(__name__)

PACKAGES = (
    "sudo apt install libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0"
)
_LIBRARIES = (
    "libEGL.so.1", "libGL.so.1", "libxkbcommon-x11.so.0", "libxcb-cursor.so.0", "libxcb-icccm.so.4",
    "libxcb-keysyms.so.1", "libxcb-shape.so.0",
)  # fmt: skip
_CALM = 500
"""Milliseconds after which the window will have been painted."""
_SCREENLESS = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs")
_M_ARENA_MAX = -8  # from glibc's malloc.h


def run(project: Path | None) -> int:
    """Show the window, with `project` if given, until it is closed; returns the exit code."""
    gc.disable()  # to the end: see garbage_collector. It also saves a twentieth of the time to the first paint
    problem = startup_problem()
    if problem:
        print(problem, file=sys.stderr)
        return 1
    few_arenas()
    _start_log()
    from PySide6.QtCore import QTimer

    keep_no_sources()
    from PySide6.QtWidgets import QApplication

    from workbench.stop_signals import stop_signals
    from workbench.ui import crashes, garbage_collector, preferences, theme
    from workbench.ui.window.main_window import MainWindow

    # How long a job's Python code may hold up the window's each time, in s: the default of 5 ms is a third of a frame.
    sys.setswitchinterval(0.001)
    _route_qt_messages()
    app = QApplication(sys.argv[:1])
    app.setApplicationName("workbench")
    app.setApplicationDisplayName("Workbench")
    app.setDesktopFileName("workbench")
    theme.apply(str(preferences.get("theme", "system")))
    window = MainWindow(log_file=log_file())
    sys.excepthook = _ExceptHook(window)
    window.show()
    if project is not None:
        window.open(project)
    QTimer.singleShot(_CALM, lambda: _painted(window))
    # Python handles signals only between its own instructions: an empty timer gives it the chance.
    for number in stop_signals():
        signal.signal(number, lambda *_: window.closing.close_at_once())
    awake = QTimer(interval=250)
    awake.timeout.connect(lambda: None)
    awake.start()
    code = app.exec()
    for note in window.findChildren(crashes.CrashNote):
        note.end()
    sys.excepthook = sys.__excepthook__
    garbage_collector.leave_the_rest()
    return code


def _painted(window: MainWindow) -> None:
    """Start what can wait until the window is painted."""
    from workbench.ui import crashes, garbage_collector

    garbage_collector.begin(window.session)
    log.info("Workbench runs, process %s", os.getpid())
    for crash in crashes.read_crashes(notes_folder()):
        log.error("%s\n%s", crash.sentence, crash.stacks)
        window.session.message.emit("warning", crash.sentence)
        crashes.CrashRecovery(window.session, crash, window.open).begin()
    crashes.CrashNote(window.session, notes_folder(), window)


def few_arenas() -> None:
    """Limit malloc to two arenas for all threads; glibc's default is eight per core.

    Each job is a new thread that may allocate from another arena, and free memory in one is useless to the others:
    a window with 20,000 images grew by a tenth over seven trainings; with this limit by 3 % at most.
    """
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def keep_no_sources() -> None:
    """Make PySide read the modules' source files without caching their lines.

    It searches each imported module for the word PySide6 (only modules with it may have names changed by `__feature__`)
    with inspect.getsource, which caches all that it reads: with PyTorch 1,900 files, 100 MB and 0.6 s.
    """
    try:
        from shibokensupport import feature  # type: ignore[import-not-found]
    except ImportError:
        return
    if hasattr(feature, "_mod_uses_pyside"):
        feature._mod_uses_pyside = mentions_pyside


def mentions_pyside(module: ModuleType) -> bool:
    """Whether its source contains PySide; False if it has none."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return False
    try:
        return b"PySide6" in Path(file).read_bytes()
    except OSError:
        return False


# --- may it start? ---


def startup_problem() -> str:
    """One sentence on why no window can be shown here and what to do; "" if one can."""
    if sys.platform.startswith("linux"):
        platform = os.environ.get("QT_QPA_PLATFORM", "").split(":")[0]
        if platform not in _SCREENLESS:
            problem = _display_problem(platform)
            if problem:
                return problem
    try:
        import PySide6.QtWidgets  # noqa: F401
    except ImportError as error:
        return _library_sentence(str(error))
    return ""


def _display_problem(platform: str) -> str:
    wayland = bool(os.environ.get("WAYLAND_DISPLAY")) and platform != "xcb"
    if not wayland and not os.environ.get("DISPLAY"):
        return (
            "There is no display here, so no window can be shown; everything works from the command line:"
            " see workbench --help, or run workbench demo --no-window."
        )
    for library in _LIBRARIES if not wayland else _LIBRARIES[:2]:
        if not _loads(library):
            return _library_sentence(library)
    if not wayland and not _answers():
        return (
            f"The display {os.environ['DISPLAY']} does not answer, so no window can be shown; start an X server or"
            " connect with ssh -X, or use the command line: workbench --help."
        )
    return ""


def _loads(library: str) -> bool:
    import ctypes

    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _answers() -> bool:
    """Whether the X server of $DISPLAY accepts a connection: without one, Qt ends the process."""
    import ctypes

    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True  # Qt will report it
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    answers = bool(xcb.xcb_connection_has_error(connection) == 0)
    xcb.xcb_disconnect(connection)
    return answers


def _library_sentence(what: str) -> str:
    found = re.search(r"(lib[\w.+-]+\.so[\w.]*)", what)
    library = found.group(1) if found else what
    return f"Qt's system library {library} is missing, so no window can be shown; on Debian and Ubuntu: {PACKAGES}"


# --- what went wrong is kept ---


def log_file() -> Path:
    """The log file of this and earlier starts."""
    return Path(platformdirs.user_log_dir("workbench", appauthor=False)) / "workbench.log"


def notes_folder() -> Path:
    """Where running windows keep what the next start needs in case they crash."""
    return log_file().with_name("running")


def _start_log() -> None:
    """Messages go to the log file, a crash's stack traces to a separate one; to stderr if they can't be written."""
    from workbench.ui import crashes

    file = log_file()
    handler: logging.Handler
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(file)
        crashes.watch_for_fatal_errors(notes_folder())
    except OSError:
        handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)


class _LogFile(logging.Handler):
    """Opens the log file at the first message: importing its module takes 10 ms, and painting comes first."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self._opened: logging.Handler | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self._opened is None:
            from logging.handlers import RotatingFileHandler

            try:
                opened = RotatingFileHandler(self._file, maxBytes=1 << 20, backupCount=2, encoding="utf-8")
                opened.rotator = _rotate
                self._opened = opened
            except OSError:
                self._opened = logging.StreamHandler()
            self._opened.setFormatter(self.formatter)
        self._opened.emit(record)


def _rotate(full: str, older: str) -> None:
    """Rename a full log; on Windows not while a second window has it open: then it just keeps growing."""
    with contextlib.suppress(OSError):
        os.rename(full, older)


def _route_qt_messages() -> None:
    from PySide6.QtCore import QtMsgType, qInstallMessageHandler

    levels = {QtMsgType.QtDebugMsg: logging.DEBUG, QtMsgType.QtInfoMsg: logging.INFO}

    def tell(kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
        logging.getLogger("qt").log(levels.get(kind, logging.WARNING), "%s", text)

    qInstallMessageHandler(tell)


class _ExceptHook:
    """sys.excepthook: uncaught errors go to the log, and a quiet sentence to the corner. The window goes on."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._window.session.end_training(0.0)  # so that no question waits for a person who is at the terminal
            self._window.close()
            return
        log.error("Not caught", exc_info=(kind, error, trace))
        self._window.session.message.emit(
            "error",
            f"Something went wrong inside Workbench ({kind.__name__}). Your edits are on disk; Help > Log has details.",
        )
