"""What the command line prints: sentences, tables, progress bars, and JSON for programs that read it.

Results go to stdout, everything else to stderr, so that `workbench evaluate ... --json | jq` works. Exit codes:
0 done, 1 failed (a sentence says why), 2 the command was not understood, 3 `check` found problems, 130 stopped by
Ctrl-C or another signal.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column, Table
from rich.text import Text

from workbench.stop_signals import hangup_signal, stop_signals


def plain_console(**options: Any) -> Console:
    """One that prints names as they are: for rich, brackets are markup and ":x:" is a picture. `options`: Console's."""
    return Console(highlight=False, markup=False, emoji=False, **options)


out = plain_console(soft_wrap=True)
err = plain_console(stderr=True, soft_wrap=True)

DONE, FAILED, MISUSED, PROBLEMS, INTERRUPTED = 0, 1, 2, 3, 130

PIPED = 2000
"""Width, in characters, of a line that another program reads."""
BARRED = 60
"""Width, in characters, below which a progress bar has only its words and numbers, which would be cut."""
ROOMY = 116
"""Width, in characters, that a training's full progress bar needs for a hundred thousand steps."""


class _Times(ProgressColumn):
    """Elapsed and remaining time: "0:00:12 gone, 0:01:03 left" (only the latter in little room), then "in 0:01:15"."""

    max_refresh = 0.5

    def __init__(self, is_roomy: bool, column: Column) -> None:
        super().__init__(column)
        self._is_roomy = is_roomy

    def render(self, task: Task) -> Text:
        gone = timedelta(seconds=int((task.finished_time if task.finished else task.elapsed) or 0))
        if task.finished:
            return Text(f"in {gone}")
        left = task.time_remaining
        if left is None:
            return Text(f"{gone} gone")
        return Text((f"{gone} gone, " if self._is_roomy else "") + f"{timedelta(seconds=int(left))} left")


class _Detail(ProgressColumn):
    """The changing detail; cut where there is no room, so that it stays on one line."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["detail"], no_wrap=True, overflow="ellipsis")


class ProgressBar:
    """A progress bar with a title and a line of changing detail; does nothing when quiet."""

    def __init__(self, progress: Progress | None, title: str, total: float | None) -> None:
        self._progress, self.begun = progress, False
        self._task = progress.add_task(title, total=total, detail="") if progress else None

    def to(self, done: float, total: float | None = None, detail: str = "") -> None:
        if self._progress is not None and not self.begun:
            self._progress.start()
        self.begun = True
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total, detail=detail)


@contextlib.contextmanager
def progress_bar(title: str, total: float | None = None, *, quiet: bool = False) -> Iterator[ProgressBar]:
    """A progress bar on stderr while the block runs. It is removed if the block fails before any progress was made."""
    if quiet:
        yield ProgressBar(None, title, total)
        return
    is_whole = not err.is_terminal and "COLUMNS" not in os.environ  # as in print_table()
    console = plain_console(stderr=True, width=PIPED) if is_whole else err
    is_roomy, whole = console.width >= ROOMY, Column(no_wrap=True)
    words = TextColumn("{task.description:<18}", markup=False, table_column=whole)
    bar = [BarColumn(bar_width=24 if is_roomy else 10, table_column=whole)] if console.width >= BARRED else []
    numbers = MofNCompleteColumn(table_column=whole), _Times(is_roomy, whole)
    progress = Progress(words, *bar, *numbers, *([_Detail()] if bar else []), console=console)
    shown = ProgressBar(progress, title, total)
    if err.is_terminal:
        progress.start()
    try:
        yield shown
    finally:
        progress.live.transient = not shown.begun
        try:
            if err.is_terminal or shown.begun:  # in a pipe, a bar that never began would leave an empty line
                progress.stop()
        finally:
            err.quiet |= console.quiet  # rich silences the one whose reader has left: main() asks `err`


def drop_output() -> None:
    """After a BrokenPipeError: discard what is still buffered for stdout when Python ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text: str) -> str:
    """`text` without characters by which a file's content or name could control the terminal."""
    return "".join(one if one.isprintable() or one in "\n\t" else "?" for one in text)


def say(sentence: str, *, quiet: bool = False) -> None:
    """A line for a person, on stderr."""
    if not quiet:
        err.print(printable(sentence))


def command_line(*words: str | Path) -> str:
    """A command of this program as a shell takes it. A path that begins with a dash is told from an option."""
    typed = (f"./{word}" if isinstance(word, Path) and str(word).startswith("-") else str(word) for word in words)
    return shlex.join(["workbench", *typed])


def write_lines(lines: Iterable[str]) -> None:
    """Lines on stdout, as they are unless it is a terminal: what another program reads must stay a name of a file."""
    for line in lines:
        sys.stdout.write((printable(line) if out.is_terminal else line) + "\n")
    sys.stdout.flush()  # a reader that has gone is noticed here, not when the interpreter ends


def print_json_line(text: str) -> None:
    """A line of JSON on stdout. What its encoding can't express (a Windows code page, a lone surrogate) is escaped."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text))
    write_lines([text])


def print_result(values: dict[str, Any], *, as_json: bool) -> None:
    """The results of a command: one JSON object, or one line each, never wrapped, so that a path can be copied."""
    if as_json:
        print_json_line(json.dumps(values, ensure_ascii=False, default=str))
        return
    plain = {name.replace("_", " "): value for name, value in values.items() if not isinstance(value, (dict, list))}
    for name, value in plain.items():
        out.print(f"{name:<{max(map(len, plain))}}  {_shown(value)}")


WHOLE = 48
"""Names of up to this many characters are never broken in a table."""
READABLE = 24
"""Width, in characters, below which words in a column are no longer read with ease."""


def print_table(titles: list[str], rows: list[list[Any]]) -> None:
    """A table on stdout, numbers right-aligned; where the terminal is too narrow for one, some lines for each row.

    Nothing is cut: only sentences wrap. A file or a pipe has room for all, unless COLUMNS says how wide.
    """
    shown = [[_shown(value) for value in row] for row in rows]
    widths = [max(cell_len(one) for one in column) for column in zip(titles, *shown, strict=True)]
    wraps = [any(" " in row[column] for row in shown) for column in range(len(titles))]
    least = [min(width, READABLE) if wrap else width for width, wrap in zip(widths, wraps, strict=True)]
    least[0] = min(widths[0], WHOLE)  # names, which are typed into other commands
    wraps[0] = widths[0] > WHOLE
    is_whole = not out.is_terminal and "COLUMNS" not in os.environ
    console = plain_console(width=PIPED) if is_whole else out
    if sum(least) + _APART * (len(least) - 1) > console.width:
        _print_records(console, titles, shown)
        return
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _APART, 0, 0))
    for column, title in enumerate(titles):
        numeric = bool(rows) and all(row[column] is None or _is_number(row[column]) for row in rows)
        made.add_column(
            title, justify="right" if numeric else "left", min_width=least[column], no_wrap=not wraps[column],
            overflow="fold",
        )  # fmt: skip
    for row in shown:
        made.add_row(*row)
    console.print(made)


_APART = 2
"""Characters between two columns."""


def _print_records(console: Console, titles: list[str], shown: list[list[str]]) -> None:
    """Each row as its first value, and below it the others with their titles, as many in a line as there is room for.

    Empty ones are left out, sentences begin a line of their own.
    """
    for name, *values in shown:
        lines = [""]
        for title, value in zip(titles[1:], values, strict=True):
            is_sentence = " " in value and len(value) > READABLE
            words = f"{title}{':' if is_sentence else ''} {value}"
            if lines[-1] and (is_sentence or cell_len(lines[-1] + words) > console.width - 2 * _APART - 1):
                lines.append("")
            if value:
                lines[-1] += ("   " if lines[-1] else "") + words
            if value and is_sentence:
                lines.append("")
        console.print(name, style="bold")
        room = max(console.width - _APART, READABLE)
        for line in filter(None, lines):  # a long name of a file is left to the terminal, which copies it whole
            for part in textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False):
                console.print(" " * _APART + part)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) or str(value).replace(".", "", 1).isdigit()


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 or value == 0 else f"{value:.4f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "-" if value is None else printable(str(value))


STOPPING = "Stopping after this step; a checkpoint is being written."


@contextlib.contextmanager
def stop_on_signal(stop: threading.Event, told: str = STOPPING, *, patient: bool = False) -> Iterator[None]:
    """The signals of `stop_signals` set `stop`, on which the job ends in order, and say `told`; a second Ctrl-C
    interrupts.

    `patient`: a second one does nothing. torchrun passes signals on, so its processes get one Ctrl-C twice.

    Signals that only programs send never interrupt: `timeout` sends SIGTERM twice, SLURM again when the time is up,
    systemd SIGHUP right after it, and the checkpoint that is being written then would be lost.
    """

    def ask(number: int, _: object) -> None:
        if stop.is_set():
            if patient or number in (signal.SIGTERM, hangup_signal()):
                return
            raise KeyboardInterrupt
        stop.set()
        if number == hangup_signal() or not told:  # nobody is there to read it, or another process says it
            return
        err.print(told if patient else f"{told} Press Ctrl-C again to abort.")

    with _handled_by(ask, stop_signals()):
        yield


@contextlib.contextmanager
def interrupt_on_signal() -> Iterator[None]:
    """The other signals of `stop_signals` interrupt as Ctrl-C does, so that a command cleans up and ends with its code.

    Only the first of them: what is being cleaned up then would be left. As process 1, as in a container, a command
    that does not handle SIGTERM would not end by it at all.
    """
    asked = threading.Event()

    def ask(*_: object) -> None:
        if not asked.is_set():
            asked.set()
            raise KeyboardInterrupt

    with _handled_by(ask, [number for number in stop_signals() if number != signal.SIGINT]):
        yield


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, object], None], numbers: Iterable[int]) -> Iterator[None]:
    """These signals call `handler`; nothing is changed outside of the main thread, which alone may do so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
